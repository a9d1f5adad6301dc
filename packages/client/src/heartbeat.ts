/**
 * Tells the broker which producer groups live behind a connection, so that it knows whom to ask
 * about undecided half messages: at once on each connect, and every ten seconds.
 */
import type { Cancel, Clock } from '@sagalog/kernel'
import { HEARTBEAT_EVERY_MS } from './limits.js'

export interface Heartbeat {
  /** Announces a group until the given function is called. */
  announce(producerGroup: string): Cancel
  /** Beats now; the next beat follows in ten seconds. */
  beat(): void
  /** The announced groups. */
  readonly groups: string[]
  stop(): void
}

/** `send` announces `groups`; a beat that gets lost is made good by the next one. */
export function createHeartbeat(clock: Clock, send: () => void): Heartbeat {
  // A group counts its announcers, for two producers of one group may share a connection.
  const announcers = new Map<string, number>()
  let cancelNext: Cancel = () => {}
  let isStopped = false

  function beat(): void {
    cancelNext()
    if (isStopped || announcers.size === 0) return
    cancelNext = clock.after(HEARTBEAT_EVERY_MS, beat)
    send()
  }

  return {
    beat,
    get groups() {
      return [...announcers.keys()]
    },
    announce(producerGroup) {
      announcers.set(producerGroup, (announcers.get(producerGroup) ?? 0) + 1)
      beat()
      let isAnnounced = true
      return () => {
        if (!isAnnounced) return
        isAnnounced = false
        const left = (announcers.get(producerGroup) ?? 1) - 1
        if (left > 0) announcers.set(producerGroup, left)
        else announcers.delete(producerGroup)
      }
    },
    stop() {
      isStopped = true
      cancelNext()
    },
  }
}
