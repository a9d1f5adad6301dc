/**
 * A process that can be stopped and continued, as SIGSTOP and SIGCONT do: meanwhile time goes on
 * outside, and what arrives waits. When it wakes, its event loop runs the timers that are overdue
 * first, and hands over what arrived only after them.
 */
import type { Channel, Clock } from '@sagalog/kernel'
import { settle } from '@sagalog/kernel/testing'

export interface PausedProcess {
  readonly clock: Clock
  /** The process's end of a channel. */
  hold<Item>(channel: Channel<Item>): Channel<Item>
  pause(): void
  wake(): Promise<void>
}

export function pausedProcess(outside: Clock): PausedProcess {
  let isPaused = false
  const timers: (() => void)[] = []
  const arrivals: (() => void)[] = []
  const whenAwake = (queue: (() => void)[], run: () => void): void => {
    if (isPaused) queue.push(run)
    else run()
  }
  return {
    clock: {
      wallMs: () => outside.wallMs(),
      monotonicMs: () => outside.monotonicMs(),
      after(delayMs, task) {
        let isCancelled = false
        const run = (): void => {
          if (!isCancelled) task()
        }
        const cancel = outside.after(delayMs, () => whenAwake(timers, run))
        return () => {
          isCancelled = true
          cancel()
        }
      },
      defer: (task) => outside.defer(() => whenAwake(timers, task)),
    },
    hold: (channel) => ({
      remote: channel.remote,
      send: (item) => channel.send(item),
      onItem: (receive) => channel.onItem((item) => whenAwake(arrivals, () => receive(item))),
      onClose: (listener) =>
        channel.onClose((reason) => whenAwake(arrivals, () => listener(reason))),
      close: (reason) => channel.close(reason),
    }),
    pause() {
      isPaused = true
    },
    async wake() {
      isPaused = false
      for (const queue of [timers, arrivals]) {
        for (const run of queue.splice(0)) {
          run()
          await settle()
        }
      }
    },
  }
}
