export { appendIn, type AppendInOptions } from './append-in.js'
export { type BrokerEventsOptions, brokerEvents } from './broker-events.js'
export { decider, fold } from './decider.js'
export type { CommandCodecs, CommandUnion, Decider, Deciders, Decision } from './decider.js'
export type { EvolvedStage, Evolution, Evolvers, InitialStage, RejectionsOf } from './decider.js'
export { EventStoreError } from './errors.js'
export { defineEvents } from './event-set.js'
export type { AnyEvent, EventDefinition, EventDefinitions, EventOf, EventSet } from './event-set.js'
export type { EventsOf, EventUnion, Undecodable, Upcast, VersionedEvent } from './event-set.js'
export { createEventStore, eventStoreOver } from './event-store.js'
export type { AppendOptions, EventStore, EventStoreMethods } from './event-store.js'
export type {
  EventStoreTaskEithers,
  ReadOptions,
  RecordedEvent,
  StreamRead,
} from './event-store.js'
export type { AppendResult, EventStorePort, PageRequest, StreamPage } from './event-store-port.js'
export { inMemoryEvents } from './in-memory.js'
export { createRepository, handle } from './repository.js'
export type { ChangeOptions, Handled, HandleOptions, Repository } from './repository.js'
export type { RepositoryOptions, RepositoryTx, StateRepository } from './repository.js'
export { STREAM_NAME_BYTES_MAX, streamNameProblem } from './stream-name.js'
export { given, SpecificationError } from './specification.js'
export type { VersionedState } from './state-cache.js'
export type { Given, Outcome, RejectionPattern } from './specification.js'
