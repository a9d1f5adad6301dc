/**
 * Consumers on a cluster while brokers lose their power, are cut off, and consumers come, go and
 * die: every message that was stored is handled, each key in its order, and what was handled comes
 * again only from behind its place.
 */
import { below as belowOf } from '@sagalog/kernel'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { type Consumer, createConsumer } from '../src/index.js'
import { createProducer, ensureTopic, topic } from '../src/index.js'
import { type ClientProcess, simulatedCluster } from './simulated-cluster.js'

const Orders = topic('orders', t.type({ key: t.string, n: t.number }), { queues: 2 })
const KEYS = ['ann', 'bob', 'cid', 'dan', 'eve']

const isFull = process.env['SAGALOG_FULL'] === '1'
const BOX_MS = 25_000
const seeds = isFull ? { first: 1, last: 200 } : { first: 2, last: 2 }
/** Replays one: SEED=17. */
const onlySeed = process.env['SEED']

/** What happened in all worlds together: a test that reaches nothing shows nothing. */
const reached = { crashes: 0, cuts: 0, deaths: 0, closes: 0, repeats: 0, worlds: 0 }

interface Order {
  readonly key: string
  readonly n: number
}

interface Instance {
  readonly process: ClientProcess
  readonly consumer: Consumer
}

async function oneWorld(seed: number): Promise<void> {
  const world = await simulatedCluster(seed)
  const { a, b, pass, random, until } = world
  const chance = random.fork('plan')
  const below = (count: number): number => belowOf(chance, count)
  const operator = world.connect()
  await until(ensureTopic(operator, Orders))

  const seen: number[] = []
  /** Where each stands that is known to be stored; a key changes its queue with the routes. */
  const stored = new Map<number, { readonly line: string; readonly offset: number }>()
  /** Who handles a message of a key. A broker that comes back has forgotten its locks. */
  const atWork = new Map<string, ClientProcess>()
  const overlaps: number[] = []
  /** What a dead process still has in its memory must not be handled. */
  const dead = new Set<ClientProcess>()
  const isCalm = seed % 2 === 0
  let instances: Instance[] = []
  let joined = 0
  async function join(): Promise<void> {
    joined += 1
    const process = world.process()
    const options = { group: 'g', instance: `i${joined}`, retryMs: 20 }
    const consumer = createConsumer(process.connection, options)
    const handler = async ({ body, key }: { readonly body: Order; readonly key?: string }) => {
      if (dead.has(process)) await new Promise<never>(() => {})
      seen.push(body.n)
      const other = atWork.get(key ?? '')
      if (isCalm && other !== undefined) overlaps.push(body.n)
      atWork.set(key ?? '', process)
      await new Promise<void>((resolve) => world.time.plan(below(200), resolve))
      if (atWork.get(key ?? '') === process) atWork.delete(key ?? '')
      if (below(20) === 0) throw new Error('once more')
    }
    consumer.listen(Orders, handler, { order: 'orderly' })
    // A broker may be away: it starts when it can.
    consumer.start().catch(() => undefined)
    instances.push({ process, consumer })
    await pass(below(300))
  }

  let n = 0
  const producer = createProducer(operator, { group: 'p' })
  async function sendSome(): Promise<void> {
    const sending = Array.from({ length: 10 + below(20) }, async () => {
      const order = { key: KEYS[below(KEYS.length)] ?? '', n: (n += 1) }
      try {
        const sent = await producer.send(Orders, order, { shardingKey: order.key })
        stored.set(order.n, { line: `${order.key} ${sent.queueId}`, offset: sent.queueOffset })
      } catch {
        // Its broker is away: it may be there or not.
      }
    })
    await until(Promise.all(sending))
  }

  async function blow(): Promise<void> {
    const broker = below(2) === 0 ? a : b
    const some = instances[below(instances.length)]
    switch (isCalm ? 2 + below(3) : below(5)) {
      case 0:
        reached.crashes += 1
        broker.kill()
        await pass(below(20_000))
        await until(broker.open())
        break
      case 1:
        reached.cuts += 1
        broker.cutOff()
        await pass(below(50_000))
        broker.isReachable = true
        break
      case 2:
        if (some === undefined) break
        reached.closes += 1
        instances = instances.filter((one) => one !== some)
        await until(some.consumer.close())
        some.process.connection.close()
        break
      case 3:
        if (some === undefined) break
        reached.deaths += 1
        instances = instances.filter((one) => one !== some)
        some.process.die()
        dead.add(some.process)
        for (const [key, process] of atWork) if (process === some.process) atWork.delete(key)
        break
      default:
        await join()
    }
  }

  await join()
  for (let blows = 0; blows < 8; blows += 1) {
    await sendSome()
    await blow()
    await pass(below(2_000))
  }
  await join()
  const isDone = (): boolean => {
    const handled = new Set(seen)
    return [...stored.keys()].every((one) => handled.has(one))
  }
  await world.untilTrue(isDone, `seed ${seed}: all that was stored is handled`)
  await until(Promise.all(instances.map(({ consumer }) => consumer.close())))

  expect(overlaps, `seed ${seed}: handled while another one of the key was`).toEqual([])
  // What is seen for the first time stands behind all that was seen of its key and queue before.
  const newest = new Map<string, number>()
  const before = new Set<number>()
  for (const one of seen) {
    const { line, offset } = stored.get(one) ?? { line: `unknown ${one}`, offset: 0 }
    const last = newest.get(line) ?? -1
    if (before.has(one)) reached.repeats += 1
    else expect(offset, `seed ${seed}, ${line}`).toBeGreaterThan(last)
    before.add(one)
    newest.set(line, Math.max(offset, last))
  }
  reached.worlds += 1
}

describe('consumers in order on a cluster', () => {
  it('miss nothing and turn no key around, whatever goes away', { timeout: 120_000 }, async () => {
    if (onlySeed !== undefined) return await oneWorld(Number(onlySeed))
    const startedMs = performance.now()
    for (let { first: seed } = seeds; seed <= seeds.last; seed += 1) {
      await oneWorld(seed)
      if (isFull && performance.now() - startedMs > BOX_MS) break
    }
    if (!isFull) return
    const { worlds, ...blows } = reached
    console.log(`${worlds} worlds: ${JSON.stringify(blows)}`)
    expect(worlds).toBeGreaterThan(seeds.last / 10)
    for (const count of Object.values(blows)) expect(count).toBeGreaterThan(worlds / 10)
  })
})
