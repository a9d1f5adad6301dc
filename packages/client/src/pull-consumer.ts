/**
 * A consumer that is asked: its caller polls for messages and settles them when it pleases. It is
 * an instance of its group like any other, with leases, and can share the group with listeners.
 */
import type { Cancel } from '@sagalog/kernel'
import type { Connection } from './connection.js'
import { type Consumer, type ConsumerOptions, createConsumer } from './consumer.js'
import type { Readable } from './listener.js'
import type { Received } from './received.js'
import { openTx, type Tx } from './tx.js'

export interface PullConsumerOptions<A> extends Omit<ConsumerOptions, 'retry'> {
  readonly topics: readonly Readable<A>[]
  /** As of a listener: `*`, or tags separated by `||`. */
  readonly tags?: string
}

export interface PollOptions {
  /** Messages at most; 32 unless told. */
  readonly max?: number
  /** How long to wait for the first, milliseconds; 5,000 unless told, 0 does not wait. */
  readonly waitMs?: number
}

export interface PullConsumer<A> {
  readonly group: string
  readonly instance: string
  readonly held: Consumer['held']
  /** Joins the group; as of `Consumer`. */
  start(): Promise<void>
  /**
   * The next messages, of all its queues, each queue's in order. Empty when none came in time, or
   * when the consumer is closed. They stay in hand until they are committed or their lease ends.
   */
  poll(options?: PollOptions): Promise<readonly Received<A>[]>
  /**
   * Settles messages of earlier polls, and does what `fill` puts into the transaction, in one
   * commit. False when nothing of it happened: a lease has ended, or something was settled before;
   * then the messages come again to whoever has their queues. Rejects with ClientError.
   */
  commit(messages: readonly Received<A>[], fill?: (tx: Tx) => void): Promise<boolean>
  /** Gives the leases back; what is not committed comes again elsewhere. */
  close(): Promise<void>
}

const POLL_MAX = 32
const POLL_WAIT_MS = 5_000

interface Polled<A> {
  readonly message: Received<A>
  /** Aborted when the lease has ended: somebody else gets the message. */
  readonly signal: AbortSignal
}

export function createPullConsumer<A>(
  connection: Connection,
  options: PullConsumerOptions<A>,
): PullConsumer<A> {
  const { tags, topics, ...consumerOptions } = options
  const consumer = createConsumer(connection, consumerOptions)
  let ready: Polled<A>[] = []
  const wakers = new Set<() => void>()
  let isClosed = false

  for (const topic of topics) {
    const listen = { order: 'held', ...(tags === undefined ? {} : { tags }) } as const
    consumer.listen(
      topic,
      async (message, _tx, { signal }) => {
        ready.push({ message, signal })
        wake()
      },
      listen,
    )
  }
  function wake(): void {
    for (const waker of [...wakers]) waker()
  }
  function comesSoon(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel: Cancel = () => undefined
      const waker = (): void => {
        cancel()
        wakers.delete(waker)
        resolve()
      }
      cancel = connection.ports.clock.after(waitMs, waker)
      wakers.add(waker)
    })
  }
  function take(max: number): Received<A>[] {
    ready = ready.filter(({ signal }) => !signal.aborted)
    return ready.splice(0, max).map(({ message }) => message)
  }

  return {
    group: consumer.group,
    instance: consumer.instance,
    get held() {
      return consumer.held
    },
    start: () => consumer.start(),
    async poll({ max = POLL_MAX, waitMs = POLL_WAIT_MS } = {}) {
      const { clock } = connection.ports
      const deadlineMs = clock.monotonicMs() + waitMs
      for (;;) {
        if (isClosed) return []
        const messages = take(max)
        const leftMs = deadlineMs - clock.monotonicMs()
        if (messages.length > 0 || leftMs <= 0) return messages
        await comesSoon(leftMs)
      }
    },
    async commit(messages, fill) {
      const tx = openTx(connection)
      for (const { delivery } of messages) tx.ack(delivery)
      fill?.(tx)
      return (await tx.commit()).kind === 'committed'
    },
    async close() {
      isClosed = true
      ready = []
      wake()
      await consumer.close()
    },
  }
}
