/** The bounds of a connection to a cluster; milliseconds of the monotonic clock. */

export const CONNECT_TIMEOUT_MS = 1_000
/** How long one of several name servers is waited for, at least. */
export const NAME_SERVER_TIMEOUT_MS_MIN = 300
/** A route is asked for anew when it is used and older than this. */
export const ROUTE_MAX_AGE_MS = 30_000
/** Tries of one send, the first one included. */
export const SEND_TRIES_MAX = 3
/** Before a broker is tried again that failed a moment ago. */
export const SAME_BROKER_RETRY_MS = 50
/** Halves whose broker is remembered until they are decided. */
export const HALVES_KNOWN_MAX = 65_536
