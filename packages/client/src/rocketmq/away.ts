/** Errors that say nothing of the request, only that one of several peers can not be asked. */
import type { ClientError } from '../errors.js'

export const isAway = ({ code }: ClientError): boolean =>
  code === 'UNREACHABLE' || code === 'DISCONNECTED' || code === 'TIMEOUT'

/** Why the peer at `address` did not answer, for a list of such reasons. */
export function whyAway(address: string, error: ClientError): string {
  const why = error.code === 'UNREACHABLE' ? String(error.detail['reason']) : error.message
  return `${address}: ${why}`
}
