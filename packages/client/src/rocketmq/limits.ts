/** The bounds of a connection to a cluster; milliseconds of the monotonic clock. */

export const CONNECT_TIMEOUT_MS = 1_000
/** How long one of several name servers is waited for, at least. */
export const NAME_SERVER_TIMEOUT_MS_MIN = 300
/** A route is asked for anew when it is used and older than this. */
export const ROUTE_MAX_AGE_MS = 30_000
/** While no name server answers, an old one is asked for again at this pace. */
export const ROUTE_RETRY_MS = 2_000
/** Tries of one send, the first one included. */
export const SEND_TRIES_MAX = 3
/** Before a broker is tried again that failed a moment ago. */
export const SAME_BROKER_RETRY_MS = 50
/** A queue is a consumer's for so long, unless it asks again; it does every third of this. */
export const LEASE_MS = 30_000
/** A lock that could not be renewed for longer is given up: with a lease it lasts for 60 s. */
export const LOCK_AGE_MS_MAX = 20_000
/** When a lock was not free, or a broker did not say what was asked: the pace of asking again. */
export const REBALANCE_SOON_MS = 1_000
/** How long a broker may take to say who is in a group; another one may know. */
export const MEMBERS_TIMEOUT_MS = 1_000
/** Between two times that places are written down; what is settled meanwhile may come again. */
export const PLACES_WRITTEN_EVERY_MS = 5_000
export const PLACE_TIMEOUT_MS = 1_000
/** After a pull that a broker refused, or for which it was away. */
export const PULL_AFTER_PROBLEM_MS = 1_000
/** Halves whose broker is remembered until they are decided. */
export const HALVES_KNOWN_MAX = 65_536
