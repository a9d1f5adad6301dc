/**
 * The hops of a message, in order: the table of ARCHITECTURE.md as data. Code marks a hop by
 * `hops.reach(name)`; nobody listens in production, tests stop the world there. A test reads the
 * sources and fails when a hop is not reached in the file that this table names.
 */

export const HOPS = [
  { name: 'client.send', file: 'packages/client/src/producer.ts' },
  { name: 'client.request', file: 'packages/client/src/connection.ts' },
  { name: 'broker.receive', file: 'packages/broker/src/receive.ts' },
  { name: 'broker.admit', file: 'packages/broker/src/admit.ts' },
  { name: 'broker.sequence', file: 'packages/broker/src/sequence.ts' },
  { name: 'log.append', file: 'packages/log-core/src/log.ts' },
  { name: 'log.flush', file: 'packages/log-core/src/flush.ts' },
  { name: 'log.durable', file: 'packages/log-core/src/flush.ts' },
  { name: 'broker.reply', file: 'packages/broker/src/outbox.ts' },
  { name: 'client.ack', file: 'packages/client/src/connection.ts' },
  { name: 'broker.wake', file: 'packages/broker/src/held-pulls.ts' },
  { name: 'broker.pull', file: 'packages/broker/src/requests/pull-message.ts' },
  { name: 'client.deliver', file: 'packages/client/src/queue-worker.ts' },
  { name: 'client.handle', file: 'packages/client/src/queue-worker.ts' },
  { name: 'client.commit', file: 'packages/client/src/tx.ts' },
  { name: 'broker.commit', file: 'packages/broker/src/requests/commit.ts' },
] as const

export type HopName = (typeof HOPS)[number]['name']

/** Told each time a message passes a hop. */
export interface Hops {
  reach(hop: HopName): void
}

/** The listener of production: none. */
export const noHops: Hops = { reach() {} }
