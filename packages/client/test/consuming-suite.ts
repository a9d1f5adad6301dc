/** What consumers do wherever their messages are: each is handled, in its order, by one of them. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  type Connection,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  createPullConsumer,
  deadLettersOf,
  ensureTopic,
  type Handler,
  type ListenOptions,
  resetOffsets,
  topic,
  type Topic,
} from '../src/index.js'

export interface ConsumingWorld {
  /** Opens a connection of a client process of its own; one of these is the same each time. */
  connect(instance?: string): Connection
  wallMs(): number
  until<A>(promise: Promise<A>): Promise<A>
  untilTrue(isDone: () => boolean, what: string): Promise<void>
  pass(ms: number): Promise<void>
  /** Takes the power from a broker for a moment. */
  crash(): Promise<void>
}

export interface ConsumingPlace {
  readonly name: string
  /** True where single messages can be settled that no consumer has pulled. */
  readonly settlesAny: boolean
  /** Milliseconds in which nothing comes any more that was not there. */
  readonly quietMs: number
  open(): Promise<ConsumingWorld>
}

interface Order {
  readonly key: string
  readonly n: number
}

const KEYS = ['ann', 'bob', 'cid', 'dan', 'eve']
const ascending = (one: number, other: number): number => one - other
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const ns = (seen: readonly Order[]): number[] => seen.map(({ n }) => n).toSorted(ascending)
const distinct = (seen: readonly Order[]): number[] => [...new Set(ns(seen))]

/** What went back: a number that is not above all that its key had before. */
function outOfOrder(seen: readonly Order[]): Order[] {
  const last = new Map<string, number>()
  return seen.filter(({ key, n }) => {
    const isBack = n <= (last.get(key) ?? -1)
    if (!isBack) last.set(key, n)
    return isBack
  })
}

let scenes = 0

class Scene {
  readonly Orders: Topic<Order>
  readonly group: string
  readonly seen: Order[] = []
  readonly problems: string[] = []
  readonly world: ConsumingWorld
  readonly place: ConsumingPlace
  readonly operator: Connection

  private constructor(place: ConsumingPlace, world: ConsumingWorld) {
    scenes += 1
    this.Orders = topic(`orders-${scenes}`, t.type({ key: t.string, n: t.number }), { queues: 2 })
    this.group = `group-${scenes}`
    this.place = place
    this.world = world
    this.operator = world.connect()
  }

  static async open(place: ConsumingPlace): Promise<Scene> {
    const world = await place.open()
    const scene = new Scene(place, world)
    await world.until(ensureTopic(scene.operator, scene.Orders))
    return scene
  }

  /** Sends numbers without a key, to one queue after the other. */
  async spread(from: number, to: number): Promise<void> {
    const producer = createProducer(this.operator, { group: 'p' })
    for (let n = from; n < to; n += 1)
      await this.world.until(producer.send(this.Orders, { key: `${n}`, n }))
  }

  async send(from: number, to: number): Promise<void> {
    const producer = createProducer(this.operator, { group: 'p' })
    const sending = (async () => {
      for (let n = from; n < to; n += 1) {
        const key = KEYS[n % KEYS.length] ?? ''
        const tags = n % 2 === 0 ? 'even' : 'odd'
        await producer.send(this.Orders, { key, n }, { shardingKey: key, tags })
      }
    })()
    await this.world.until(sending)
  }

  options(instance: string, more: Partial<ConsumerOptions> = {}): ConsumerOptions {
    return {
      group: this.group,
      instance,
      retryMs: 50,
      onProblem: ({ cause, what }) => this.problems.push(`${what}: ${String(cause)}`),
      ...more,
    }
  }

  /** A consumer in a process of its own, which notes what it sees. */
  async join(
    instance: string,
    more: Partial<ConsumerOptions> & ListenOptions & { handler?: Handler<Order> } = {},
  ): Promise<Consumer> {
    const { handler, order, tags, ...options } = more
    const consumer = createConsumer(this.world.connect(instance), this.options(instance, options))
    const note: Handler<Order> = async ({ body, delivery }, tx) => {
      this.seen.push(body)
      if (order === 'held') tx.ack(delivery)
    }
    consumer.listen(this.Orders, handler ?? note, {
      ...(order === undefined ? {} : { order }),
      ...(tags === undefined ? {} : { tags }),
    })
    await this.world.until(consumer.start())
    return consumer
  }

  async sees(count: number): Promise<void> {
    await this.world.untilTrue(() => distinct(this.seen).length >= count, `${count} were handled`)
  }

  async close(...consumers: readonly { close(): Promise<void> }[]): Promise<void> {
    await this.world.until(Promise.all(consumers.map((consumer) => consumer.close())))
  }

  quiet(): Promise<void> {
    return this.world.pass(this.place.quietMs)
  }
}

const heldBy = ({ held }: Consumer): number[] => held.map(({ queueId }) => queueId)

export function consumingSuite(place: ConsumingPlace): void {
  describe(`consumers and ${place.name}`, () => {
    it.each(['concurrent', 'orderly', 'held'] as const)(
      'share the queues, and settle what they have handled, %s',
      (order) => sharing(place, order),
    )
    it('keep the order of each key while an instance joins and another one leaves', () =>
      rebalancing(place))
    it('get everything at each instance of a broadcasting group, once', () => broadcasting(place))
    it('get what has their tags, and settle the rest', () => byTags(place))
    it('try a message again later, and give it up to the dead letters', () => givingUp(place))
    it('poll, and settle what they commit', () => polling(place))
    it('begin at the first message, behind the last, or at a time', () => beginning(place))
    it('begin again where an operator moves them, online or not', () => moving(place))
    it('lose nothing when a broker loses its power and comes back', () => crashing(place))
  })
}

async function sharing(place: ConsumingPlace, order: 'concurrent' | 'orderly' | 'held') {
  const scene = await Scene.open(place)
  const { seen, world } = scene
  const one = await scene.join('one', { order })
  const all = heldBy(one).toSorted(ascending)
  const two = await scene.join('two', { order })
  const isShared = (): boolean => heldBy(one).length * 2 === all.length && heldBy(two).length > 0
  await world.untilTrue(isShared, 'both have a half')
  expect([...heldBy(one), ...heldBy(two)].toSorted(ascending)).toEqual(all)
  await scene.send(0, 40)
  await scene.sees(40)
  await scene.quiet()
  expect(ns(seen)).toEqual(upTo(40))
  if (order !== 'concurrent') expect(outOfOrder(seen)).toEqual([])
  await scene.close(one, two)
  const three = await scene.join('three', { order })
  await scene.quiet()
  expect(seen).toHaveLength(40)
  await scene.close(three)
  expect(scene.problems).toEqual([])
}

async function rebalancing(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { seen } = scene
  const order = 'orderly'
  const one = await scene.join('one', { order })
  await scene.send(0, 20)
  const two = await scene.join('two', { order })
  await scene.send(20, 60)
  await scene.close(one)
  await scene.send(60, 80)
  await scene.sees(80)
  await scene.close(two)
  expect(distinct(seen)).toEqual(upTo(80))
  expect(outOfOrder(seen)).toEqual([])
  expect(seen).toHaveLength(80)
}

async function broadcasting(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { world } = scene
  const mode = 'broadcasting'
  const of = { one: [] as Order[], two: [] as Order[] }
  const join = (instance: 'one' | 'two') =>
    scene.join(instance, { mode, handler: async ({ body }) => void of[instance].push(body) })
  const [one, two] = [await join('one'), await join('two')]
  await scene.send(0, 20)
  await world.untilTrue(() => of.one.length >= 20 && of.two.length >= 20, 'both saw all')
  await scene.close(one)
  await scene.send(20, 40)
  await world.untilTrue(() => of.two.length >= 40, 'the one that stayed saw all')
  const again = await join('one')
  await world.untilTrue(() => of.one.length >= 40, 'the one that came again saw the rest')
  await scene.quiet()
  expect([ns(of.one), ns(of.two)]).toEqual([upTo(40), upTo(40)])
  await scene.close(again, two)
}

async function byTags(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const tags = 'even || none'
  const one = await scene.join('one', { tags })
  await scene.send(0, 20)
  await scene.sees(10)
  await scene.quiet()
  expect(ns(scene.seen)).toEqual(upTo(20).filter((n) => n % 2 === 0))
  await scene.close(one)
  const two = await scene.join('two', { tags })
  await scene.quiet()
  expect(scene.seen).toHaveLength(10)
  await scene.close(two)
}

async function givingUp(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { Orders, group, operator, seen, world } = scene
  const attempts: number[] = []
  const one = await scene.join('one', {
    retry: { by: 'backoff', minMs: 400, maxMs: 900 },
    attemptsMax: 3,
    handler: async ({ body, topic: from }, _tx, { attempt }) => {
      expect(from).toBe(Orders.name)
      if (body.n === 3) {
        attempts.push(attempt)
        throw new Error('three is too much')
      }
      seen.push(body)
    },
  })
  await scene.send(0, 10)
  await world.untilTrue(() => attempts.length >= 3 && seen.length >= 9, 'it was given up')
  await scene.quiet()
  expect(attempts).toEqual([1, 2, 3])
  expect(ns(seen)).toEqual(upTo(10).filter((n) => n !== 3))
  await scene.close(one)
  const letters = deadLettersOf(operator, group)
  const [letter, ...others] = await world.until(letters.list())
  expect(others).toEqual([])
  expect(letter?.topic).toBe(Orders.name)
  expect(JSON.parse(String(letter?.message.body))).toMatchObject({ n: 3 })
  if (letter === undefined) return
  const discarded = world.until(letters.discard(letter))
  if (place.settlesAny) expect(await discarded).toBe(true)
  else await expect(discarded).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  const left = await world.until(letters.list())
  expect(left).toHaveLength(place.settlesAny ? 0 : 1)
}

async function polling(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { Orders, world } = scene
  await scene.send(0, 20)
  const open = async (instance: string) => {
    const topics = [Orders]
    const options = { ...scene.options(instance), topics }
    const consumer = createPullConsumer(world.connect(instance), options)
    await world.until(consumer.start())
    return consumer
  }
  const one = await open('one')
  const first: Order[] = []
  while (first.length < 10) {
    const messages = await world.until(one.poll({ max: 10 - first.length, waitMs: 20_000 }))
    first.push(...messages.map(({ body }) => body))
    expect(await world.until(one.commit(messages))).toBe(true)
  }
  const left = await world.until(one.poll({ max: 3, waitMs: 20_000 }))
  expect(left.length).toBeGreaterThan(0)
  await scene.close(one)
  const two = await open('two')
  const rest: Order[] = []
  while (distinct([...first, ...rest]).length < 20) {
    const messages = await world.until(two.poll({ waitMs: 20_000 }))
    rest.push(...messages.map(({ body }) => body))
    await world.until(two.commit(messages))
  }
  expect(ns([...first, ...rest])).toEqual(upTo(20))
  await scene.close(two)
}

async function beginning(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { group, world } = scene
  await scene.send(0, 10)
  await world.pass(1_100)
  const storedAtMs = world.wallMs()
  await world.pass(100)
  await scene.send(10, 20)
  const of = { first: [] as Order[], last: [] as Order[], time: [] as Order[] }
  const join = (name: keyof typeof of, from: ConsumerOptions['from']) =>
    scene.join(name, {
      group: `${group}-${name}`,
      ...(from === undefined ? {} : { from }),
      handler: async ({ body }) => void of[name].push(body),
    })
  const consumers = [
    await join('first', undefined),
    await join('last', 'last'),
    await join('time', { storedAtMs }),
  ]
  await world.pass(200)
  await scene.send(20, 30)
  const isDone = (): boolean =>
    of.first.length >= 30 && of.last.length >= 10 && of.time.length >= 20
  await world.untilTrue(isDone, 'each has seen its part')
  await scene.quiet()
  expect(ns(of.first)).toEqual(upTo(30))
  expect(ns(of.last)).toEqual(upTo(30).slice(20))
  expect(ns(of.time)).toEqual(upTo(30).slice(10))
  await scene.close(...consumers)
}

async function moving(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { Orders, group, operator, seen, world } = scene
  const reset = (to: 'first' | 'last') =>
    world.until(resetOffsets(operator, { group, topic: Orders.name, to }))
  const one = await scene.join('one')
  await scene.send(0, 10)
  await scene.sees(10)
  await scene.quiet()
  const moved = await reset('first')
  expect(moved.map(({ offset }) => offset)).toEqual(moved.map(() => 0))
  // A pull that is under way is answered only when there is something, or after a while.
  await scene.spread(10, 14)
  await world.untilTrue(() => seen.length >= 24, 'all came again')
  await scene.quiet()
  expect(ns(seen)).toEqual([...upTo(10).flatMap((n) => [n, n]), 10, 11, 12, 13])
  await scene.close(one)
  await scene.send(14, 20)
  await reset('last')
  const two = await scene.join('two')
  await scene.send(20, 30)
  await scene.sees(24)
  await scene.quiet()
  expect(distinct(seen)).toEqual([...upTo(14), ...upTo(30).slice(20)])
  await scene.close(two)
}

async function crashing(place: ConsumingPlace) {
  const scene = await Scene.open(place)
  const { seen, world } = scene
  const [one, two] = [await scene.join('one'), await scene.join('two')]
  await scene.send(0, 20)
  await scene.sees(10)
  await world.crash()
  await scene.send(20, 40)
  await scene.sees(40)
  await scene.close(one, two)
  expect(distinct(seen)).toEqual(upTo(40))
}
