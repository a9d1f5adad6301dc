/**
 * The end of a client's channel that also tells how long requests took, from their arrival to the
 * leaving of their replies: with all that the broker waited for in between. It passes on everything
 * as it is; only who wants to know pays for it.
 */
import type { Channel, Clock } from '@sagalog/kernel'
import { type Command, isOneway, isResponse, RequestCode } from '@sagalog/protocol'
import { TIMED_REQUESTS_MAX } from './limits.js'

/** The requests that change something and are waited for. */
export type ServedRequest = 'send' | 'send-batch' | 'commit' | 'end-transaction' | 'send-back'

/** Is told the milliseconds of each such request that was answered, refused ones too. */
export type OnServed = (request: ServedRequest, ms: number) => void

const TIMED: ReadonlyMap<number, ServedRequest> = new Map([
  [RequestCode.SEND_MESSAGE, 'send'],
  [RequestCode.SEND_MESSAGE_V2, 'send'],
  [RequestCode.SEND_BATCH_MESSAGE, 'send-batch'],
  [RequestCode.SAGALOG_COMMIT, 'commit'],
  [RequestCode.END_TRANSACTION, 'end-transaction'],
  [RequestCode.CONSUMER_SEND_MSG_BACK, 'send-back'],
])

export function timedChannel(
  channel: Channel<Command>,
  clock: Clock,
  onServed: OnServed,
): Channel<Command> {
  const open = new Map<number, { readonly request: ServedRequest; readonly beganMs: number }>()
  return {
    remote: channel.remote,
    send(command) {
      const asked = isResponse(command) ? open.get(command.opaque) : undefined
      const isSent = channel.send(command)
      if (asked !== undefined) {
        open.delete(command.opaque)
        onServed(asked.request, clock.monotonicMs() - asked.beganMs)
      }
      return isSent
    },
    onItem(receive) {
      channel.onItem((command) => {
        const request = TIMED.get(command.code)
        const isTimed = request !== undefined && !isResponse(command) && !isOneway(command)
        // A peer that numbers its requests anew and anew must not fill the memory.
        if (isTimed && open.size < TIMED_REQUESTS_MAX)
          open.set(command.opaque, { request, beganMs: clock.monotonicMs() })
        receive(command)
      })
    },
    onClose(listener) {
      channel.onClose((reason) => {
        open.clear()
        listener(reason)
      })
    },
    close: (reason) => channel.close(reason),
  }
}
