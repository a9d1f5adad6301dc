/** A connection to a cluster of Apache RocketMQ's brokers, for everything that takes one. */
export type { PlaceOwner, PlaceStore, StoredPlace } from './place-store.js'
export { placesIn } from './places-node.js'
export { type ClusterOptions, openCluster } from './cluster-connection.js'
export { openRemote, type RemoteOptions } from './open-remote.js'
