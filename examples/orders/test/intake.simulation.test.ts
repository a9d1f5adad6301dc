/** The intake against a real broker whose replies get lost on the way back. */
import { openBroker } from '@sagalog/broker'
import { ClientError, type Connection, ensureTopic, type Waiting } from '@sagalog/client'
import { assert } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import { endTransaction, type RequestCodec, ResponseCode, sendMessage } from '@sagalog/protocol'
import { expect, test } from 'vitest'
import { type Book, openBook } from '../src/book.js'
import { createIntake } from '../src/intake.js'
import { scanLog } from '../src/log-scan.js'
import { orderSaga } from '../src/order-saga.js'
import { connectTo } from '../src/workload.js'
import { ordersOf, sampleText } from './world.js'

const orders = ordersOf(sampleText, 40)
const directory = '/log'

type Loss = 'TIMEOUT' | 'DISCONNECTED' | 'forgotten'

/** A connection on which `loses` says which replies never arrive. */
function lossy(inner: Connection, loses: (request: string) => Loss | undefined): Connection {
  const request = async <Req, Res>(codec: RequestCodec<Req, Res>, payload: Req) => {
    const reply = await inner.request(codec, payload)
    const loss = loses(codec.name)
    if (loss === undefined) return reply
    if (loss === 'forgotten') return { code: ResponseCode.SYSTEM_ERROR, payload: undefined }
    const detail = { request: codec.name, timeoutMs: 30_000, remote: 'the peer', reason: 'a test' }
    throw new ClientError(loss, detail)
  }
  const ask = <Req, Res>(codec: RequestCodec<Req, Res>, payload: Req, waiting: Waiting<Res>) => {
    request(codec, payload).then(
      (reply) => waiting.resolve(reply),
      (thrown: unknown) => waiting.reject(thrown),
    )
  }
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'request') return request
      if (name === 'ask') return ask
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function placeAll(loses: (request: string, count: number) => Loss | undefined) {
  const random = seededRandom(3)
  const time = simulatedTime(random.fork('time'))
  const clock = time.nodeClock()
  const disk = simulatedDisk({ time, random: random.fork('disk') }).attach(clock)
  const placed: number[] = []
  let requests = 0
  let isDone = false
  const work = async (): Promise<{ book: Book['entries']; committed: readonly number[] }> => {
    const transactions = { checkAfterMs: 200, checkEveryMs: 200, checksMax: 1_000 }
    const broker = await openBroker({ disk, clock, random, directory, transactions })
    const connection = connectTo(broker, { clock, random })
    await ensureTopic(connection, orderSaga.inbox, { queues: 4 })
    const book = await openBook({ disk, directory: '/book' })
    const intake = createIntake({
      connection: lossy(connection, (request) => {
        requests += 1
        return loses(request, requests)
      }),
      clock,
      book,
      orders,
      customersOpen: 4,
      endedBefore: new Set(),
      onPlaced(order) {
        placed.push(order)
        intake.ended(order)
      },
    })
    await intake.run()
    while (broker.status().halvesOpen > 0) {
      await new Promise<void>((resolve) => {
        clock.after(100, resolve)
      })
    }
    intake.close()
    connection.close()
    await broker.close()
    const { halves } = await scanLog({ disk, clock, directory })
    const committed = halves.filter(({ decisions }) => decisions.join() === 'commit')
    return { book: book.entries, committed: committed.map(({ order }) => order) }
  }
  const working = work().finally(() => {
    isDone = true
  })
  working.catch(() => {})
  const end = await time.run({ untilMs: time.nowMs() + 3_600_000, isDone: () => isDone })
  assert(end === 'done', `the simulation ended ${end}`)
  return { ...(await working), placed }
}

const numbers = orders.map(({ n }) => n)
const sorted = (list: readonly number[]): readonly number[] =>
  list.toSorted((left, right) => left - right)

test.each(['TIMEOUT', 'DISCONNECTED'] as const)(
  'every order is booked and committed once although replies end as %s',
  async (loss) => {
    const lost = new Map<string, number>()
    const { placed, book, committed } = await placeAll((request, count) => {
      if (count % 3 !== 0) return undefined
      lost.set(request, (lost.get(request) ?? 0) + 1)
      return loss
    })
    expect(lost.get(sendMessage.name)).toBeGreaterThan(3)
    expect(lost.get(endTransaction.name)).toBeGreaterThan(3)
    expect(sorted(placed)).toEqual(numbers)
    expect(sorted(book.map(({ order }) => order))).toEqual(numbers)
    expect(sorted(committed)).toEqual(numbers)
  },
  60_000,
)

test('an outcome that the broker has forgotten is not asked for without end', async () => {
  let confirmations = 0
  const placing = placeAll((request) => {
    if (request !== endTransaction.name) return undefined
    confirmations += 1
    return confirmations === 1 ? 'DISCONNECTED' : 'forgotten'
  })
  await expect(placing).rejects.toThrow(/REJECTED: endTransaction was rejected/)
})
