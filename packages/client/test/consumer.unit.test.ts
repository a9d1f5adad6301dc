import { queueOffset } from '@sagalog/kernel'
import { notifyMembers, onewayOf } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { createConsumer, type Delivery, type Tx } from '../src/index.js'
import { Numbers, start } from './consumer-world.js'
import { COMMITTED, scriptedQueue, storedMessage, world } from './scripted-peer.js'

const pending: () => Promise<void> = () => new Promise(() => {})

describe('a consumer', () => {
  it('commits what the handler collected together with the acknowledgement', async () => {
    const { queue, pass } = await start({
      messages: [7],
      async handler(message, tx) {
        tx.send(Numbers, message.body + 1, { shardingKey: 'k', tags: 'next' })
        tx.schedule('timer', 50, Numbers, 9)
        tx.cancel('other')
      },
    })
    await pass(10)
    expect(queue.commits).toHaveLength(1)
    expect(queue.commits[0]).toMatchObject({
      leases: [{ group: 'g', topic: 'numbers', queueId: 0, epoch: 1 }],
      acks: [{ group: 'g', topic: 'numbers', queueId: 0, offset: 0 }],
      sends: [{ topic: 'numbers', shardingKey: 'k', tags: 'next', body: Buffer.from('8') }],
      timers: [{ id: 'timer', delayMs: 50 }],
      cancels: ['other'],
    })
  })

  it('takes a TaskEither as a handler', async () => {
    const seen: number[] = []
    const { ackedOffsets, pass } = await start({
      messages: [1, 2],
      handler: (message) => async () => {
        seen.push(message.body)
        return E.right(undefined)
      },
    })
    await pass(10)
    expect(seen).toEqual([1, 2])
    expect(ackedOffsets()).toEqual([0, 1])
  })

  it('in orderly order delivers a message only when the one before is settled', async () => {
    let running = 0
    let most = 0
    const seen: number[] = []
    const { pass, queue, time } = await start({
      order: 'orderly',
      async handler(message) {
        running += 1
        most = Math.max(most, running)
        seen.push(message.body)
        await new Promise<void>((resolve) => time.plan(10 - message.body, resolve))
        running -= 1
      },
    })
    for (let at = 0; at < 5; at += 1) queue.messages.push(storedMessage(Numbers.name, at, at + 1))
    queue.wake()
    await pass(200)
    expect(seen).toEqual([1, 2, 3, 4, 5])
    expect(most).toBe(1)
  })

  it('lets every handler in hand listen to its signal, without a warning of a leak', async () => {
    const warnings: unknown[] = []
    const keep = (warning: unknown): void => void warnings.push(warning)
    process.on('warning', keep)
    let listening = 0
    const { pass } = await start({
      messages: Array.from({ length: 20 }, (_, at) => at),
      handler: (_, __, { signal }) => {
        signal.addEventListener('abort', () => {})
        listening += 1
        return pending()
      },
    })
    await pass(10)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', keep)
    expect([listening, warnings]).toEqual([20, []])
  })

  it('in concurrent order has up to 32 messages in hand and settles them as they end', async () => {
    const ends: (() => void)[] = []
    const { ackedOffsets, pass } = await start({
      messages: Array.from({ length: 40 }, (_, at) => at),
      handler: () => new Promise<void>((resolve) => ends.push(resolve)),
    })
    await pass(10)
    expect(ends).toHaveLength(32)
    ends[3]?.()
    await pass(10)
    expect(ackedOffsets()).toEqual([3])
    expect(ends).toHaveLength(33)
  })

  it('holds deliveries until some transaction acknowledges them', async () => {
    const held: Delivery[] = []
    const { ackedOffsets, pass, queue } = await start({
      messages: Array.from({ length: 50 }, (_, at) => at),
      order: 'held',
      async handler(message, tx) {
        if (message.body < 49) held.push(message.delivery)
        else {
          tx.ack(message.delivery)
          for (const delivery of held.slice(0, 2)) tx.ack(delivery)
        }
      },
    })
    await pass(100)
    expect(held).toHaveLength(49)
    expect(queue.commits).toHaveLength(1)
    expect(ackedOffsets()).toEqual([49, 0, 1])
    // One queue, so one lease, however many deliveries.
    expect(queue.commits[0]?.leases).toHaveLength(1)
  })

  it('skips what was settled before the lease began', async () => {
    const seen: number[] = []
    const scene = world()
    const queue = scriptedQueue(scene.peer, Numbers.name)
    for (let at = 0; at < 6; at += 1) queue.messages.push(storedMessage(Numbers.name, at, at))
    queue.watermark = 2
    queue.settled = [3]
    const consumer = createConsumer(scene.connection, { group: 'g', instance: 'i' })
    consumer.listen(Numbers, async (message) => void seen.push(message.body))
    await Promise.all([consumer.start(), scene.pass(10)])
    expect(seen).toEqual([2, 4, 5])
  })

  it('repeats a commit whose reply was lost as it was, and takes already-settled for success', async () => {
    const ends: unknown[] = []
    let runs = 0
    const { connection, peer, pass, queue } = await start({
      messages: [1],
      async handler(_, tx) {
        runs += 1
        tx.send(Numbers, 2)
        tx.onCommitted((committed) => ends.push(committed))
        tx.onRefused((refusal) => ends.push(refusal))
      },
    })
    queue.onCommit = (commit, nth) => {
      if (nth === 2) {
        peer.drop()
        return undefined
      }
      const [ack] = commit.acks
      return ack === undefined ? undefined : { refused: { reason: 'already-settled', ack } }
    }
    queue.messages.push(storedMessage(Numbers.name, 1, 1))
    await pass(1)
    queue.wake()
    await pass(500)
    expect(connection.isUp).toBe(true)
    // The first message was committed at once; the second twice, with the same content.
    expect(runs).toBe(2)
    expect(queue.commits.length).toBeGreaterThanOrEqual(2)
    expect(queue.commits.at(-1)).toEqual(queue.commits.at(-2))
    expect(ends).toEqual([{ versions: [] }, undefined])
  })

  it('runs the handler again at once on a version conflict', async () => {
    const refusals: string[] = []
    let tries = 0
    const { pass, queue } = await start({
      async handler(_, tx, { attempt }) {
        tries += 1
        expect(attempt).toBe(1)
        tx.onRefused(({ reason }) => refusals.push(reason))
      },
    })
    const conflict = { reason: 'version-conflict', category: 'c', stream: 's', actual: 3 } as const
    queue.onCommit = (_, nth) =>
      nth < 4 ? { refused: { ...conflict, actual: 3 as never } } : COMMITTED
    queue.messages.push(storedMessage(Numbers.name, 0, 1))
    queue.wake()
    await pass(1)
    expect(tries).toBe(4)
    expect(refusals).toEqual(['version-conflict', 'version-conflict', 'version-conflict'])
  })
})

describe('the lease of a queue', () => {
  it('is renewed every third of its time', async () => {
    const { pass, queue } = await start({ handler: pending })
    const before = queue.asked.length
    await pass(9_001)
    expect(queue.asked).toHaveLength(before + 3)
    expect(queue.asked.at(-1)?.held).toEqual([{ topic: 'numbers', queueId: 0, epoch: 1 }])
  })

  it('ends here when it was not renewed: the signal aborts and nothing is committed any more', async () => {
    let signal: AbortSignal | undefined
    let end: (() => void) | undefined
    const refusals: string[] = []
    const { pass, queue } = await start({
      messages: [1],
      handler(_, tx, context) {
        signal = context.signal
        tx.onRefused(({ reason }) => refusals.push(reason))
        return new Promise<void>((resolve) => {
          end = resolve
        })
      },
    })
    queue.isAnswering = false
    await pass(8_990)
    expect(signal?.aborted).toBe(false)
    await pass(15)
    expect(signal?.aborted).toBe(true)
    end?.()
    await pass(100)
    expect(queue.commits).toHaveLength(0)
    expect(refusals).toEqual(['stale-lease'])
  })

  it('is asked for again when the broker calls it stale', async () => {
    const seen: string[] = []
    const { consumer, pass, queue } = await start({
      messages: [1],
      handler: async (message, _, { signal }) => {
        seen.push(`${message.body} ${signal.aborted}`)
      },
    })
    await pass(10)
    queue.epoch = 2
    queue.messages.push(storedMessage(Numbers.name, 1, 2))
    queue.watermark = 1
    // The pull that waits ends when its time is up; a new one is refused.
    queue.wake()
    queue.onCommit = (commit) =>
      commit.leases[0]?.epoch === 2
        ? COMMITTED
        : {
            refused: { reason: 'stale-lease', queue: { group: 'g', topic: 'numbers', queueId: 0 } },
          }
    await pass(100)
    expect(seen).toEqual(['1 false', '2 false', '2 false'])
    expect(queue.commits.at(-1)?.leases[0]?.epoch).toBe(2)
    expect(consumer.held).toEqual([{ topic: 'numbers', queueId: 0 }])
  })

  it('is released after it was revoked, once what is in hand has ended', async () => {
    let end: (() => void) | undefined
    const { ackedOffsets, consumer, peer, pass, queue } = await start({
      messages: [1, 2],
      order: 'orderly',
      handler: () =>
        new Promise<void>((resolve) => {
          end = resolve
        }),
    })
    queue.isRevoked = true
    peer.push(onewayOf(notifyMembers, 0, { consumerGroup: 'g' }))
    await pass(100)
    expect(queue.asked.at(-1)?.held).toHaveLength(1)
    end?.()
    await pass(100)
    expect(ackedOffsets()).toEqual([0])
    expect(queue.asked.at(-1)?.held).toEqual([])
    expect(consumer.held).toEqual([])
  })

  it('is asked for as soon as the connection is up again', async () => {
    const { peer, pass, queue } = await start({ handler: pending })
    const before = queue.asked.length
    peer.drop()
    await pass(200)
    expect(queue.asked.length).toBeGreaterThan(before)
  })
})

describe('closing a consumer', () => {
  it('finishes what is in hand, delivers nothing more, and gives the leases back', async () => {
    let end: (() => void) | undefined
    const seen: number[] = []
    const { ackedOffsets, consumer, pass, queue } = await start({
      messages: [1, 2, 3],
      order: 'orderly',
      handler(message) {
        seen.push(message.body)
        return new Promise<void>((resolve) => {
          end = resolve
        })
      },
    })
    await pass(2_500)
    let isClosed = false
    const closing = consumer.close().then(() => {
      isClosed = true
    })
    // Longer than the lease that it had when it began to close, so it was renewed meanwhile.
    await pass(8_000)
    expect(isClosed).toBe(false)
    end?.()
    await pass(10)
    await closing
    expect(seen).toEqual([1])
    expect(ackedOffsets()).toEqual([0])
    expect(queue.asked.at(-1)).toMatchObject({ leaving: true, held: [] })
    const asked = queue.asked.length
    await pass(60_000)
    expect(queue.asked).toHaveLength(asked)
  })

  it('waits one lease time for a handler, then aborts its signal and goes', async () => {
    let signal: AbortSignal | undefined
    let end: (() => void) | undefined
    const { consumer, pass, problems, queue } = await start({
      messages: [1],
      handler(_, __, context) {
        signal = context.signal
        return new Promise<void>((resolve) => {
          end = resolve
        })
      },
    })
    await pass(10)
    let isClosed = false
    void consumer.close().then(() => {
      isClosed = true
    })
    await pass(8_900)
    expect([isClosed, signal?.aborted]).toEqual([false, false])
    await pass(200)
    expect([isClosed, signal?.aborted]).toEqual([true, true])
    expect(problems).toEqual(['handlers of numbers/0 did not end in time'])
    expect(queue.asked.at(-1)).toMatchObject({ leaving: true, held: [] })
    end?.()
    await pass(10_000)
    expect(queue.commits).toEqual([])
  })

  it('abandons a message that waits for its next try', async () => {
    const { consumer, pass, queue } = await start({
      messages: [1],
      options: { retryMs: 60_000 },
      handler: () => Promise.reject(new Error('no')),
    })
    await pass(10)
    const closing = consumer.close()
    await pass(10)
    await closing
    expect(queue.commits).toHaveLength(0)
  })
})

describe('a transaction', () => {
  it('checks and encodes when it is called, and is closed when the handler has returned', async () => {
    let kept: Tx | undefined
    const thrown: unknown[] = []
    const { pass } = await start({
      messages: [1],
      async handler(_, tx) {
        kept = tx
        const tries: (() => void)[] = [
          () => tx.send(Numbers, 'x' as never),
          () => tx.send(Numbers, 1, { keys: ['a b'] }),
          () => tx.send(Numbers, 1, { properties: { UNIQ_KEY: 'mine' } }),
          () => tx.ack({ group: 'g', topic: 'numbers', queueId: 0, offset: queueOffset(0) }),
        ]
        for (const attempt of tries) {
          try {
            attempt()
          } catch (error) {
            thrown.push((error as { code?: string; name: string }).code ?? (error as Error).name)
          }
        }
      },
    })
    await pass(10)
    expect(thrown).toEqual([
      'INVALID_MESSAGE',
      'INVALID_MESSAGE',
      'INVALID_MESSAGE',
      'AssertionError',
    ])
    expect(() => kept?.send(Numbers, 1)).toThrow(/until its handler has returned/)
  })
})
