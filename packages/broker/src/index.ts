export { type Broker, openBroker } from './broker.js'
export { BrokerError } from './errors.js'
export type {
  BrokerMetrics,
  GroupMetrics,
  LagMetrics,
  QueueMetrics,
  TopicMetrics,
} from './metrics.js'
export type { BrokerOptions, RetentionOptions, TransactionOptions } from './options.js'
export type { ScrubSettings } from './options.js'
export type { HeldUp } from './retention-account.js'
export type { OnServed, ServedRequest } from './timed-channel.js'
export type { Traffic } from './tally.js'
