/**
 * What most programs need of all packages, for who installs this one alone. The rest of each is in
 * its own: `@sagalog/client`, `@sagalog/event-store`, `@sagalog/saga`.
 */
export { adminOf, ClientError, createConsumer, createProducer, topic } from '@sagalog/client'
export { createPullConsumer, deadLettersOf, ensureTopic, MessageTemplate } from '@sagalog/client'
export { outcomeTable, parkedKeysOf, resetOffsets, undecidedHalves } from '@sagalog/client'
export type { Consumer, Delivery, Producer, Received, SendResult, Topic, Tx } from '@sagalog/client'
export { appendIn, decider, defineEvents, type EventsOf } from '@sagalog/event-store'
export { createRepository, EventStoreError, given, memoryRows } from '@sagalog/event-store'
export { projection, runProjection, withInlineProjections } from '@sagalog/event-store'
export { commandOf, remote, reply, saga, startMessage } from '@sagalog/saga'
export { irreversible, refusable, Refuse, remoteForward, sagaAsync, SagaError } from '@sagalog/saga'
export { processManager, runProcessManager, serveCommands } from '@sagalog/saga'
export { type ConnectOptions, Sagalog, type SagalogClient, type SagalogOptions } from './open.js'
export { openStandalone, type Standalone, type StandaloneOptions } from './standalone.js'
