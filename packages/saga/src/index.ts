export { decide, type Decision, type Effect, type SagaInput } from './decide.js'
export type { Codec, LocalAction, LocalMeta, RemoteAction, SagaDefinition } from './definition.js'
export type { StepContext, StepDefinition, StepMeta, StepPhase } from './definition.js'
export { SagaError } from './errors.js'
export { evolve, hasEnded, sagaInitial } from './evolve.js'
export type { SagaPhase, SagaState, StepState } from './evolve.js'
export { fingerprintOf, shapeLines } from './fingerprint.js'
export { InboxMessage, LanePlace } from './inbox.js'
export { arrive, evolveLane, laneInitial, type LaneState, leave, type Waiting } from './lane.js'
export { commandOf, forwardedProperties, reply, SagaProperty } from './participant.js'
export type { Outcome, SagaCommand, WithProperties } from './participant.js'
export { createSagaRuntime, type SagaRuntime, type SagaRuntimeOptions } from './runtime.js'
export type { SagaCounters, SagaEnded, SagaParked } from './runtime.js'
export { EndReason, type LaneEvent, laneEvents, type SagaEvent, sagaEvents } from './saga-events.js'
export { type ContextOf, type InputOf, type RefusalOf, saga } from './saga.js'
export type { FreshName, Saga, SagaOptions, SagaSteps, SagaTail } from './saga.js'
export { type StartMessage, startMessage } from './start-message.js'
export { remote, remoteForward } from './steps.js'
export type {
  LocalPivot,
  LocalStep,
  LocalThen,
  RemoteForward,
  RemoteForwardOptions,
} from './steps.js'
export type { RemoteOptions, RemoteStep, Retry } from './steps.js'
