/**
 * Sends to a cluster whose brokers die, come back, refuse, and lose requests and replies, at random:
 * what a producer says of a message is true, and a key keeps its queue and its order.
 */
import { below, position, queueOffset } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import { hostBytes, offsetId, ResponseCode, sendMessage } from '@sagalog/protocol'
import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { ClientError, createProducer, topic } from '../src/index.js'
import { type ScriptedBroker, scriptedCluster } from './scripted-cluster.js'

const Numbers = topic('numbers', t.number)
const KEYS = ['ann', 'bob', 'cid', undefined, undefined, undefined]
const SENDS = 40

const FAULTS = [
  'none',
  'reply lost',
  'reply lost with the connection',
  'request lost with the connection',
  'disk full',
  'busy',
  'refused',
  'stored, and an error said',
] as const
type Fault = (typeof FAULTS)[number]

/** How often each fault was met, and each kind of end. */
const reached = new Map<string, number>()
const count = (what: string): void => void reached.set(what, (reached.get(what) ?? 0) + 1)

interface Sent {
  readonly n: number
  readonly key: string | undefined
  end: 'pending' | 'stored' | 'unchanged' | 'unknown'
}

interface Stored {
  readonly n: number
  readonly queue: string
}

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const cluster = scriptedCluster({ seed, requestTimeoutMs: 500 })
  const { a, b, connection, pass } = cluster
  const stored: Stored[] = []
  let isCalm = false
  const offsets = new Map<string, number>()
  const answer = (broker: ScriptedBroker, fault: Fault, body: Buffer, queueId: number) => {
    const queue = `${broker.name} ${queueId}`
    const store = () => {
      const at = offsets.get(queue) ?? 0
      offsets.set(queue, at + 1)
      stored.push({ n: Number(body), queue })
      const msgId = offsetId(hostBytes(broker.address), position(64 * stored.length))
      return { payload: { msgId, queueId, queueOffset: queueOffset(at) } }
    }
    switch (fault) {
      case 'none':
        return store()
      case 'reply lost':
        store()
        return undefined
      case 'reply lost with the connection':
        store()
        broker.drop()
        return undefined
      case 'request lost with the connection':
        broker.drop()
        return undefined
      case 'disk full':
        return { code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: 'the disk is full' }
      case 'busy':
        return { code: ResponseCode.SYSTEM_BUSY, remark: 'busy' }
      case 'refused':
        return { code: ResponseCode.MESSAGE_ILLEGAL, remark: 'not this one' }
      case 'stored, and an error said':
        store()
        return { code: ResponseCode.SYSTEM_ERROR, remark: 'unknown' }
    }
  }
  for (const broker of [a, b])
    broker.on(sendMessage, ({ body, queueId }) => {
      const fault = isCalm || below(random, 3) > 0 ? 'none' : FAULTS[below(random, FAULTS.length)]
      count(fault ?? 'none')
      return answer(broker, fault ?? 'none', body, queueId)
    })
  const producer = createProducer(connection, { group: 'p' })
  const sends: Sent[] = []
  const ends: Promise<void>[] = []
  for (let n = 0; n < SENDS; n += 1) {
    const key = KEYS[below(random, KEYS.length)]
    const sent: Sent = { n, key, end: 'pending' }
    sends.push(sent)
    const send = producer.send(Numbers, n, key === undefined ? {} : { shardingKey: key })
    ends.push(
      send.then(
        () => void (sent.end = 'stored'),
        (thrown: unknown) => {
          if (!ClientError.is(thrown)) throw thrown
          count(thrown.code)
          expect(thrown.state).not.toBe('applied')
          sent.end = thrown.state === 'unchanged' ? 'unchanged' : 'unknown'
        },
      ),
    )
    const victim = below(random, 2) === 0 ? a : b
    const blow = below(random, 12)
    if (blow === 0) victim.die()
    if (blow < 4) victim.isReachable = true
    await pass(below(random, 150))
  }
  for (const broker of [a, b]) broker.isReachable = true
  isCalm = true
  await pass(10_000)
  await Promise.all(ends)
  for (const { end, key, n } of sends) {
    const copies = stored.filter((one) => one.n === n).length
    const what = `seed ${seed}, message ${n} with key ${key}, which ended ${end}`
    if (end === 'stored') expect(copies, what).toBeGreaterThanOrEqual(1)
    if (end === 'unchanged') expect(copies, what).toBe(0)
    if (key !== undefined) expect(copies, what).toBeLessThanOrEqual(1)
    count(`ended ${end}`)
    if (copies > 1) count('stored twice')
  }
  for (const key of ['ann', 'bob', 'cid']) {
    const numbers = new Set(sends.filter((sent) => sent.key === key).map(({ n }) => n))
    const mine = stored.filter(({ n }) => numbers.has(n))
    const order = mine.map(({ n }) => n)
    expect(order, `seed ${seed}, key ${key}`).toEqual(order.toSorted((one, other) => one - other))
    expect(new Set(mine.map(({ queue }) => queue)).size, `seed ${seed}`).toBeLessThanOrEqual(1)
  }
  connection.close()
}

const { env } = process
const isFull = env['SAGALOG_FULL'] === '1'
const only = env['SEED'] === undefined ? undefined : Number(env['SEED'])
const SEEDS = isFull ? 2_000 : 20
const BOX_MS = 20_000

it('says the truth of every message, and keeps keys in order', { timeout: 120_000 }, async () => {
  const endMs = performance.now() + BOX_MS
  const first = only ?? 1
  const behind = only === undefined ? SEEDS + 1 : only + 1
  let seed = first
  for (; seed < behind && performance.now() < endMs; seed += 1) {
    try {
      await run(seed)
    } catch (cause) {
      const replay = `SEED=${seed} npx vitest run packages/client/test/cluster-sending.property`
      throw new Error(`broken, replay: ${replay}\n${String(cause)}`, { cause })
    }
  }
  if (only !== undefined) return
  console.log(
    `sends to a cluster: ${seed - 1} seeds, ${JSON.stringify(Object.fromEntries(reached))}`,
  )
  expect(seed - 1).toBeGreaterThanOrEqual(SEEDS / 10)
  for (const fault of FAULTS) expect(reached.get(fault) ?? 0, fault).toBeGreaterThan(3)
  for (const end of ['ended stored', 'ended unchanged', 'ended unknown', 'stored twice'])
    expect(reached.get(end) ?? 0, end).toBeGreaterThan(3)
})
