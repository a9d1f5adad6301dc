/** A connection to a cluster of Apache RocketMQ's brokers, for everything that takes one. */
export { type ClusterOptions, openCluster } from './cluster-connection.js'
