export { type Broker, openBroker } from './broker.js'
export { BrokerError } from './errors.js'
export type { BrokerOptions, TransactionOptions } from './options.js'
