/**
 * A connection inside one process, as an embedded broker has it: what one end sends the other gets
 * in the same call. A process that is paused finds it when it wakes, in order; a dead one never.
 */
import type { Channel } from '@sagalog/kernel'
import { channelPair } from '@sagalog/protocol'
import type { Connected, Joined } from './network.js'
import type { SimulatedProcess } from './process-clock.js'

type Parcel<Item> = { readonly item: Item } | { readonly closed: string }

/** The end of a channel that belongs to `owner`: what arrives waits until the process is awake. */
export function guarded<Item>(
  inner: Channel<Item>,
  owner: Pick<SimulatedProcess, 'enter' | 'isDead'>,
): Channel<Item> {
  const arrived: Parcel<Item>[] = []
  let receive: (item: Item) => void = () => undefined
  let listener: (reason: string) => void = () => undefined
  function take(parcel: Parcel<Item>): void {
    arrived.push(parcel)
    owner.enter(() => {
      const next = arrived.shift()
      if (next === undefined) return
      if ('item' in next) receive(next.item)
      else listener(next.closed)
    })
  }
  return {
    remote: inner.remote,
    send: (item) => !owner.isDead && inner.send(item),
    onItem(handler) {
      receive = handler
      inner.onItem((item) => take({ item }))
    },
    onClose(handler) {
      listener = handler
      inner.onClose((closed) => take({ closed }))
    },
    close: (reason) => inner.close(reason),
  }
}

/**
 * Joins two processes so; there is nothing on its way that could get lost, and no half-open state.
 */
export function directLink<Item>(
  caller: SimulatedProcess,
  answerer: SimulatedProcess,
): { readonly joined: Joined<Item>; readonly link: Connected } {
  const [left, right] = channelPair<Item>(['simulated:client', 'simulated:broker'])
  let isLive = true
  const cut = (reason: string): void => {
    isLive = false
    left.close(reason)
  }
  return {
    joined: { caller: guarded(left, caller), answerer: guarded(right, answerer) },
    link: {
      cut,
      swallow: () => cut('the connection broke'),
      get isLive() {
        return isLive
      },
      joins: (process) => process === caller || process === answerer,
    },
  }
}
