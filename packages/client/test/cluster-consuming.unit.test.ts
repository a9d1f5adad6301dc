/** What consumers on a cluster do differently: no leases, no commits, locks of others. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockQueues, unlockQueues } from '@sagalog/protocol'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  type ClientError,
  type Connection,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  ensureTopic,
  type Handler,
  type ListenOptions,
  openConnection,
  openTx,
  topic,
} from '../src/index.js'
import { placesIn, type PlaceStore } from '../src/rocketmq/index.js'
import { placesInMemory } from './places-in-memory.js'
import { simulatedCluster } from './simulated-cluster.js'

const Numbers = topic('numbers', t.number, { queues: 2 })

async function scene() {
  const world = await simulatedCluster()
  const operator = world.connect()
  await world.until(ensureTopic(operator, Numbers))
  const producer = createProducer(operator, { group: 'p' })
  const problems: string[] = []
  async function joined(
    connection: Connection,
    handler: Handler<number>,
    { listen, ...options }: Partial<ConsumerOptions> & { readonly listen?: ListenOptions } = {},
  ) {
    const consumer = createConsumer(connection, {
      group: 'g',
      instance: 'one',
      onProblem: ({ cause, what }) => problems.push(`${what}: ${String(cause)}`),
      ...options,
    })
    consumer.listen(Numbers, handler, listen)
    await world.until(consumer.start())
    return consumer
  }
  const send = (n: number) => world.until(producer.send(Numbers, n))
  return { ...world, operator, producer, problems, joined, send }
}

const heldBy = ({ held }: Consumer): number[] =>
  held.map(({ queueId }) => queueId).toSorted((one, other) => one - other)

describe('the places of broadcasting instances in a directory', () => {
  const place = { topic: 'numbers', brokerName: 'broker-a', queueId: 1, offset: 7 }
  const owner = { group: 'g', instance: '../x@y' }
  const inDirectory = async (work: (directory: string) => Promise<void>): Promise<void> => {
    const directory = await mkdtemp(join(tmpdir(), 'sagalog-places-'))
    try {
      await work(directory)
    } finally {
      await rm(directory, { recursive: true })
    }
  }

  it('are there again, each instance its own', () =>
    inDirectory(async (directory) => {
      const inside = join(directory, 'places')
      const store = placesIn(inside)
      expect(await store.load(owner)).toEqual([])
      await store.save(owner, [place])
      await store.save({ ...owner, instance: 'other' }, [])
      expect(await placesIn(inside).load(owner)).toEqual([place])
      await store.save(owner, [{ ...place, offset: 8 }])
      expect(await store.load(owner)).toEqual([{ ...place, offset: 8 }])
      expect(await readdir(directory)).toEqual(['places'])
    }))

  it('are not made up from a file that holds none', () =>
    inDirectory(async (directory) => {
      const store = placesIn(directory)
      for (const text of ['', '{}', '{"places":[{"offset":-1}]}']) {
        await writeFile(join(directory, 'g@one.json'), text)
        const loaded = store.load({ group: 'g', instance: 'one' })
        await expect(loaded).rejects.toThrow(/g@one\.json holds no places/)
      }
    }))
})

describe('a consumer on a cluster', () => {
  it('is refused what is no acknowledgement, with what to do instead', async () => {
    const { connect, joined, operator, problems, send, until, untilTrue } = await scene()
    const codes: string[] = []
    const consumer = await joined(
      connect(),
      async (_message, tx) => {
        tx.send(Numbers, 2)
        tx.onRefused(({ reason }) => codes.push(reason))
      },
      { attemptsMax: 2, retryMs: 10 },
    )
    await send(1)
    await untilTrue(() => problems.length >= 3, 'it was tried twice and given up')
    expect(problems[0]).toMatch(
      /UNSUPPORTED.*more than acknowledgements.*send with a producer inside the handler/,
    )
    expect(problems[2]).toMatch(/is a dead letter/)
    expect(codes).toEqual(['abandoned', 'abandoned'])
    await until(consumer.close())
    const tx = openTx(operator, { key: 'k' })
    tx.send(Numbers, 1)
    await expect(until(tx.commit())).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('is the only one of its group on its connection', async () => {
    const { connect, joined } = await scene()
    const connection = connect()
    await joined(connection, async () => undefined)
    const second = joined(connection, async () => undefined, { instance: 'two' })
    await expect(second).rejects.toThrow(/REJECTED.*has the instance one on this connection.*two/)
    await joined(connection, async () => undefined, { group: 'other', instance: 'two' })
  })

  it('of a broadcasting group needs a store for its places', async () => {
    const { connect, joined } = await scene()
    const joining = joined(connect(), async () => undefined, { mode: 'broadcasting' })
    await expect(joining).rejects.toThrow(/REJECTED.*give the connection `places`/)
  })

  it('of a broadcasting group does not begin as long as its store fails', async () => {
    const { connect, problems, send, untilTrue } = await scene()
    let isBroken = true
    const kept = placesInMemory()
    const places: PlaceStore = {
      load: (owner) => (isBroken ? Promise.reject(new Error('no disk')) : kept.load(owner)),
      save: (owner, all) => kept.save(owner, all),
    }
    const seen: number[] = []
    const options = { group: 'g', instance: 'one', mode: 'broadcasting' } as const
    const consumer = createConsumer(connect(places), {
      ...options,
      onProblem: ({ cause }) => problems.push(String(cause)),
    })
    consumer.listen(Numbers, async ({ body }) => void seen.push(body))
    void consumer.start()
    await send(1)
    await untilTrue(() => problems.length > 0, 'it is told')
    expect(problems[0]).toMatch(/PLACES_FAILED: the places of one in g .* read: no disk/)
    isBroken = false
    await untilTrue(() => seen.length === 1, 'it begins')
  })

  it('is rejected when a topic is not there', async () => {
    const { connect, until } = await scene()
    const consumer = createConsumer(connect(), { group: 'g', instance: 'one' })
    consumer.listen(topic('nowhere', t.number), async () => undefined)
    const failed = until(consumer.start()).catch((thrown: ClientError) => thrown)
    expect(await failed).toMatchObject({ code: 'REJECTED', detail: { code: 'TOPIC_NOT_EXIST' } })
  })

  it('in order waits for a lock that somebody else has, and loses one that it is refused', async () => {
    const { a, connect, joined, pass, random, time, until, untilTrue } = await scene()
    const ports = { clock: time.nodeClock(), random: random.fork('other') }
    const other = openConnection({ ports, connect: () => a.connect() })
    const queue = { topic: 'numbers', brokerName: 'broker-a', queueId: 1 }
    const lock = { clientId: 'other', consumerGroup: 'g', queues: [queue] }
    const locked = await until(other.call(lockQueues, lock))
    expect(locked.locked).toHaveLength(1)
    const consumer = await joined(connect(), async () => undefined, {
      listen: { order: 'orderly' },
    })
    const held = (): number[] => heldBy(consumer)
    expect(held()).toEqual([0, 2, 3])
    await pass(5_000)
    expect(held()).toEqual([0, 2, 3])
    await until(other.call(unlockQueues, lock))
    await untilTrue(() => consumer.held.length === 4, 'it was given the lock')
    // A broker that comes back knows no locks, and gives this one to whoever asks first.
    a.kill()
    await pass(20)
    await until(a.open())
    await until(other.call(lockQueues, lock))
    await pass(11_000)
    expect(held()).toEqual([0, 2, 3])
  })

  it('in order gives a queue up whose lock it can not renew, before the broker does', async () => {
    const { a, connect, joined, pass, untilTrue } = await scene()
    const consumer = await joined(connect(), async () => undefined, {
      listen: { order: 'orderly' },
    })
    a.cutOff()
    await pass(15_000)
    expect(heldBy(consumer)).toEqual([0, 1, 2, 3])
    await pass(35_000)
    expect(heldBy(consumer)).toEqual([2, 3])
    a.isReachable = true
    await untilTrue(() => consumer.held.length === 4, 'it has them again')
  })

  it('goes on while a broker is away for longer than a lock lasts', async () => {
    const { a, connect, joined, pass, producer, until, untilTrue } = await scene()
    const seen: number[] = []
    const handler: Handler<number> = async ({ body }) => void seen.push(body)
    const consumer = await joined(connect(), handler, { listen: { order: 'orderly' } })
    a.kill()
    for (let n = 0; n < 4; n += 1) await until(producer.send(Numbers, n))
    await untilTrue(() => seen.length === 4, 'those of the broker that lives')
    await pass(90_000)
    expect(heldBy(consumer)).toEqual([2, 3])
    await until(a.open())
    await untilTrue(() => consumer.held.length === 4, 'it has the others again')
    for (let n = 4; n < 12; n += 1) await until(producer.send(Numbers, n))
    await untilTrue(() => seen.length === 12, 'all were handled')
    await until(consumer.close())
  })

  it('says where it stands when its connection is closed under it', async () => {
    const { connect, joined, pass, send, untilTrue } = await scene()
    const seen: number[] = []
    const handler: Handler<number> = async ({ body }) => void seen.push(body)
    const connection = connect()
    await joined(connection, handler)
    for (let n = 0; n < 8; n += 1) await send(n)
    await untilTrue(() => seen.length === 8, 'all were handled')
    connection.close()
    await pass(100)
    await joined(connect(), handler, { instance: 'two' })
    await pass(20_000)
    expect(seen).toHaveLength(8)
  })
})
