/**
 * Sagas from the outside, on the real broker: start, ask, wait, signal, cancel, limits over two
 * instances, a served command topic, process managers, and definitions that change.
 */
import { type Connection, ensureTopic, openTx, topic } from '@sagalog/client'
import { createEventStore, defineEvents } from '@sagalog/event-store'
import {
  after,
  type AsOf,
  createSagaRuntime,
  DefinitionEvents,
  emit,
  listSagas,
  processManager,
  reasonText,
  remote,
  runProcessManager,
  saga,
  type SagaDefinition,
  SagaError,
  type SagaRuntime,
  send,
  serveCommands,
  type StepMove,
  stepSpans,
} from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { placeOrder } from './orders.js'
import { World } from './world.js'

const nothing = () => TE.right(undefined)

async function withWorld(use: (world: World, connect: () => Connection) => Promise<void>) {
  const world = new World({ wire: 'memory', seed: 7, saga: placeOrder, behaviour: () => 'done' })
  await world.until(world.openBroker())
  let count = 0
  const connect = (): Connection => {
    count += 1
    return world.connect(world.time.nodeClock(), `client ${count}`)
  }
  await world.until(use(world, connect))
  await world.close()
}

async function runtimeOf(
  connection: Connection,
  sagas: readonly SagaDefinition[],
  more: Partial<Parameters<typeof createSagaRuntime>[1]> = {},
): Promise<SagaRuntime> {
  const runtime = createSagaRuntime(connection, {
    sagas,
    instance: 'r1',
    queues: 2,
    retryMs: 20,
    ...more,
  })
  await runtime.start()
  return runtime
}

const approval = saga('approval', 1, t.number)
  .step('hold', { out: t.string, run: () => TE.right('held'), undo: nothing })
  .signal('approve', { codec: t.boolean, ask: 'may it?' })
  .then('take', { out: t.string, run: (c) => TE.right(`${c.hold} ${c.approve}`) })
  .end()

describe('a saga from the outside', () => {
  it('is started once, waited for, signalled and cancelled', async () => {
    await withWorld(async (_, connect) => {
      const runtime = await runtimeOf(connect(), [approval])
      const sagas = runtime.of(approval)
      await sagas.start('a', 1)
      await sagas.start('a', 1)
      expect(await sagas.query('b')).toBeUndefined()
      expect(await sagas.result('a', { timeoutMs: 100 })).toEqual({ outcome: 'pending' })
      await expect(sagas.signal('a', 'approve', 'yes')).rejects.toMatchObject({
        code: 'SIGNAL_INVALID',
      })
      await sagas.signal('a', 'approve', true)
      expect(await sagas.result('a')).toEqual({
        outcome: 'completed',
        results: { hold: 'held', approve: true, take: 'held true' },
      })
      const view = await sagas.query('a', { asOfVersion: 2 })
      expect(view?.state.steps.get('hold')).toMatchObject({ status: 'started' })
      const whole = await sagas.query('a')
      const [first, , third] = whole?.history ?? []
      const asOf = async (moment: AsOf | undefined) =>
        (await sagas.query('a', moment === undefined ? {} : { asOf: moment }))?.state
      const then = (await asOf(third?.position))?.steps
      expect(then?.get('hold')).toMatchObject({ status: 'done' })
      expect(then?.get('take')).toBeUndefined()
      expect(await asOf({ timeMs: (first?.storedAtMs ?? 0) - 1 })).toBeUndefined()
      expect(await asOf({ timeMs: Number.MAX_SAFE_INTEGER })).toEqual(whole?.state)
      const tx = openTx(connect())
      sagas.startIn(tx, 'c', 2)
      expect((await tx.commit()).kind).toBe('committed')
      await sagas.cancel('c', 'not wanted')
      expect(await sagas.result('c')).toEqual({
        outcome: 'compensated',
        reason: { kind: 'cancelled', message: 'not wanted' },
      })
      await sagas.start('d', 3)
      await sagas.result('d', { timeoutMs: 200 })
      const list = await listSagas(connect(), approval)
      expect(list.map(({ sagaId, state }) => `${sagaId} ${state}`)).toEqual([
        'a completed',
        'c compensated',
        'd running',
      ])
    })
  })

  it('is told by its business key what it waits for, however many go by it', async () => {
    await withWorld(async (world, connect) => {
      const Input = t.type({ order: t.string, lane: t.string, place: t.number })
      const byOrder = saga('by-order', 1, Input, {
        businessKey: ({ order }) => order,
        // The second of a lane starts in the commit that ends the first, under the same key.
        lane: ({ lane, place }) => ({ key: lane, place }),
      })
        .signal('paid', { codec: t.string })
        .end()
      const runtime = await runtimeOf(connect(), [byOrder, approval])
      const sagas = runtime.of(byOrder)
      const none = { code: 'NO_SAGA_OF_KEY', retry: 'after-delay' }
      const soon = { businessKey: 'A-7', withinMs: 50 }
      await expect(sagas.signal(soon, 'paid', 'r0')).rejects.toMatchObject(none)
      await sagas.start('s1', { order: 'A-7', lane: 'x', place: 1 })
      await sagas.start('s2', { order: 'A-7', lane: 'x', place: 2 })
      // Whether the start is done by now or not.
      expect(await sagas.signal({ businessKey: 'A-7' }, 'paid', 'r1')).toEqual(['s1'])
      expect(await sagas.result('s1')).toMatchObject({ results: { paid: 'r1' } })
      await sagas.start('s3', { order: 'A-7', lane: 'y', place: 1 })
      while ((await sagas.query('s3')) === undefined)
        await new Promise<void>((resolve) => world.time.plan(5, resolve))
      expect(await sagas.signal({ businessKey: 'A-7' }, 'paid', 'r2')).toEqual(['s2', 's3'])
      for (const id of ['s2', 's3'])
        expect(await sagas.result(id)).toMatchObject({ results: { paid: 'r2' } })
      await expect(sagas.signal(soon, 'paid', 'r3')).rejects.toMatchObject(none)
      await expect(sagas.start('s4', { order: '', lane: 'z', place: 1 })).rejects.toMatchObject({
        code: 'BUSINESS_KEY_INVALID',
      })
      await expect(
        runtime.of(approval).signal({ businessKey: 'A-7' }, 'approve', true),
      ).rejects.toMatchObject({ code: 'SIGNAL_INVALID' })
    })
  })

  it('is refused at start-up when its definition changed, with what changed', async () => {
    await withWorld(async (_, connect) => {
      const first = await runtimeOf(connect(), [approval])
      await first.of(approval).start('a', 1)
      await first.of(approval).result('a', { timeoutMs: 200 })
      await first.close()
      const changed = saga('approval', 2, t.number)
        .signal('approve', { codec: t.boolean })
        .then('take', { out: t.string, run: () => TE.right('x') })
        .end()
      const refused: unknown = await runtimeOf(connect(), [changed]).catch(
        (cause: unknown) => cause,
      )
      expect(SagaError.is(refused) && refused.code).toBe('DEFINITION_CHANGED')
      expect(String(refused)).toContain('1 running saga of approval version 1')
      expect(String(refused)).toContain('- step hold: string, local, undo')
      // With the old one still registered it goes on, and ends by the old definition.
      const both = await runtimeOf(connect(), [changed, approval])
      await both.of(approval).signal('a', 'approve', true)
      expect(await both.of(approval).result('a')).toMatchObject({ outcome: 'completed' })
      await both.close()
      const alone = await runtimeOf(connect(), [changed])
      expect(alone.counters.started).toBe(0)
      // No saga has the old shape any more: it is looked for once, and then never again.
      const store = createEventStore(connect())
      const { events } = await store.read(DefinitionEvents, 'approval')
      expect(events.at(-1)).toEqual({
        type: 'Retired',
        data: { fingerprint: approval.fingerprint },
      })
      await runtimeOf(connect(), [changed])
      expect((await store.read(DefinitionEvents, 'approval')).version).toBe(events.length)
      // Whoever brings it back is seen again.
      await runtimeOf(connect(), [changed, approval])
      expect((await store.read(DefinitionEvents, 'approval')).events.at(-1)).toMatchObject({
        type: 'Seen',
        data: { fingerprint: approval.fingerprint },
      })
    })
  })

  it('keeps a limit over two instances, and tells each step to whoever traces', async () => {
    await withWorld(async (world, connect) => {
      let running = 0
      let most = 0
      const limited = saga('limited', 1, t.number)
        .lock('account', () => 'shared', { timeoutMs: () => 600_000 })
        .step('a', { out: t.null, run: () => TE.right(null), undo: nothing })
        .end()
      const counted = saga('counted', 1, t.number)
        .step('pay', {
          out: t.null,
          limit: { name: 'bank', concurrency: 2 },
          run: () => async () => {
            running += 1
            most = Math.max(most, running)
            await new Promise<void>((resolve) => world.time.plan(50, resolve))
            running -= 1
            return E.right(null)
          },
          undo: nothing,
        })
        .end()
      const moves: StepMove[] = []
      const spans: string[] = []
      const traced = stepSpans({
        startSpan: (name, { startTime = 0 } = {}) => ({
          setStatus() {},
          end: (endTime = 0) => void spans.push(`${name} ${endTime - startTime >= 0}`),
        }),
      })
      const onStep = (move: StepMove): void => {
        moves.push(move)
        traced(move)
      }
      const one = await runtimeOf(connect(), [counted, limited], { onStep })
      await runtimeOf(connect(), [counted, limited], { instance: 'r2', onStep })
      for (let n = 0; n < 12; n += 1) await one.of(counted).start(`s${n}`, n)
      for (let n = 0; n < 4; n += 1) await one.of(limited).start(`l${n}`, n)
      for (let n = 0; n < 12; n += 1)
        expect(await one.of(counted).result(`s${n}`)).toMatchObject({ outcome: 'completed' })
      for (let n = 0; n < 4; n += 1)
        expect(await one.of(limited).result(`l${n}`)).toMatchObject({ outcome: 'completed' })
      expect(most).toBe(2)
      expect(moves.filter(({ step, move }) => step === 'pay' && move === 'done')).toHaveLength(12)
      expect(spans.filter((text) => text === 'counted/pay true')).toHaveLength(12)
    })
  })
})

describe('locks', () => {
  const pausing = (world: World) => ({
    out: t.null,
    run: () => async () => {
      await new Promise<void>((resolve) => world.time.plan(200, resolve))
      return E.right(null)
    },
    undo: nothing,
  })
  const Keys = t.type({ first: t.string, second: t.string })

  it('that sagas take in a ring let one of them go back, which says so', async () => {
    await withWorld(async (world, connect) => {
      const moving = saga('moving', 1, Keys)
        .lock('first', (c) => c.input.first)
        .step('pause', pausing(world))
        .lock('second', (c) => c.input.second)
        .end()
      const runtime = await runtimeOf(connect(), [moving])
      await runtimeOf(connect(), [moving], { instance: 'r2' })
      const sagas = runtime.of(moving)
      await sagas.start('m1', { first: 'a', second: 'b' })
      await sagas.start('m2', { first: 'b', second: 'c' })
      await sagas.start('m3', { first: 'c', second: 'a' })
      // These wait as well, and not in a ring.
      await sagas.start('m4', { first: 'd', second: 'a' })
      await sagas.start('m5', { first: 'e', second: 'd' })
      const ends = []
      for (const id of ['m1', 'm2', 'm3', 'm4', 'm5']) ends.push(await sagas.result(id))
      const back = ends.filter(({ outcome }) => outcome === 'compensated')
      expect(ends.filter(({ outcome }) => outcome === 'completed')).toHaveLength(4)
      expect(back).toMatchObject([{ reason: { kind: 'deadlock', step: 'second' } }])
      expect(ends[2]?.outcome, 'the last of the ring').toBe('compensated')
      const [end] = back
      const reason = end?.outcome === 'compensated' ? end.reason : undefined
      const text = reason === undefined ? '' : reasonText(reason)
      expect(text).toMatch(/second would never come, they wait for each other: moving\/m\d/)
      expect(text.match(/moving\/m[123]\/second waits for lock\/[abc]/g)).toHaveLength(3)
    })
  })

  it('in whatever order many sagas take them, each of these ends', async () => {
    await withWorld(async (world, connect) => {
      const moving = saga('moving', 1, Keys)
        .lock('first', (c) => c.input.first)
        .step('pause', pausing(world))
        .lock('second', (c) => c.input.second)
        .end()
      const sagas = (await runtimeOf(connect(), [moving])).of(moving)
      const keys = ['a', 'b', 'c', 'd']
      for (let n = 0; n < 24; n += 1) {
        const [first, second] = [world.draw(4), world.draw(3)]
        const other = keys[(first + 1 + second) % 4] ?? ''
        await sagas.start(`m${n}`, { first: keys[first] ?? '', second: other })
      }
      const kinds: string[] = []
      for (let n = 0; n < 24; n += 1) {
        const end = await sagas.result(`m${n}`, { timeoutMs: 60_000 })
        kinds.push(end.outcome === 'compensated' ? end.reason.kind : end.outcome)
      }
      expect(new Set(kinds)).toEqual(new Set(['completed', 'deadlock']))
    })
  })

  it('that a child asks of its own parent let the child go back, and the parent with it', async () => {
    await withWorld(async (_, connect) => {
      const child = saga('inner', 1, t.string)
        .lock('account', (c) => c.input)
        .end()
      const parent = saga('outer', 1, t.string)
        .lock('account', (c) => c.input)
        .child('inner', child, (c) => c.input)
        .end()
      const runtime = await runtimeOf(connect(), [parent, child])
      await runtime.of(parent).start('p1', 'x')
      expect(await runtime.of(parent).result('p1')).toMatchObject({
        reason: { kind: 'refused', step: 'inner', refusal: { kind: 'deadlock' } },
      })
    })
  })
})

const Charge = t.type({ cents: t.number }, 'Charge')
const Charges = topic('charges', Charge, { queues: 2 })

describe('a served command topic', () => {
  it('answers once, and refuses what comes after its undo', async () => {
    await withWorld(async (world, connect) => {
      const calls: string[] = []
      const charging = saga('charging', 1, t.number)
        .step(
          'charge',
          remote({
            to: Charges,
            out: t.string,
            refusal: t.type({ tag: t.string, details: t.unknown }),
            run: (c) => ({ cents: c.input }),
            undo: (c) => ({ cents: -c.input }),
            timeoutMs: () => 500,
          }),
        )
        .end()
      const service = serveCommands(connect(), Charges, {
        group: 'bank',
        instance: 'b1',
        queues: 2,
        retryMs: 50,
        run: async ({ cents }, { sagaId }) => {
          calls.push(`run ${sagaId}`)
          if (cents === 13) throw new Error('the bank is away')
          return `receipt ${cents}`
        },
        undo: async (_, done, { sagaId }) => void calls.push(`undo ${sagaId} ${done._tag}`),
      })
      const runtime = await runtimeOf(connect(), [charging])
      await service.start()
      const sagas = runtime.of(charging)
      await sagas.start('good', 5)
      expect(await sagas.result('good')).toMatchObject({ results: { charge: 'receipt 5' } })
      expect(calls).toEqual(['run good'])
      // The command comes again, with all its properties.
      const again = connect()
      const tx = openTx(again)
      const properties = {
        'sagalog.saga.name': 'charging',
        'sagalog.saga.id': 'good',
        'sagalog.saga.step': 'charge',
        'sagalog.saga.action': 'run',
        'sagalog.saga.lane': 'good',
        'sagalog.saga.reply-to': 'saga-charging',
      }
      tx.send(Charges, { cents: 5 }, { shardingKey: 'good', properties })
      // And one whose undo came first.
      const late = { ...properties, 'sagalog.saga.id': 'late', 'sagalog.saga.lane': 'late' }
      const undo = { ...late, 'sagalog.saga.action': 'undo' }
      tx.send(Charges, { cents: 5 }, { shardingKey: 'late', properties: undo })
      tx.send(Charges, { cents: 5 }, { shardingKey: 'late', properties: late })
      await tx.commit()
      await new Promise<void>((resolve) => world.time.plan(3_000, resolve))
      expect(calls).toEqual(['run good', 'undo late None'])
    })
  })
})

describe('a process manager', () => {
  const Orders = defineEvents('pm-orders', { Placed: t.type({ cents: t.number }) })
  const Bills = defineEvents('pm-bills', {
    Paid: t.type({ order: t.string }),
    Closed: t.type({ order: t.string, why: t.string }),
  })
  const Mails = topic('pm-mails', t.string, { queues: 1 })
  const State = t.type({ placed: t.boolean, paid: t.boolean, reminders: t.number }, 'State')

  it('hears events, keeps its state and asks for effects, in one commit', async () => {
    await withWorld(async (world, connect) => {
      const billing = processManager({
        name: 'billing',
        listens: [Orders, Bills],
        state: State,
        initial: { placed: false, paid: false, reminders: 0 },
        correlate: (event, stream) => (event.type === 'Placed' ? stream : event.data.order),
        on: {
          Placed: (state, { cents }, id) => [
            { ...state, placed: true },
            [send(Mails, `pay ${cents} for ${id}`), after(1_000, 'late')],
          ],
          Paid: (state) => [{ ...state, paid: true }, []],
        },
        onAlarm: (state, _, id) =>
          state.paid
            ? [state, []]
            : [
                { ...state, reminders: state.reminders + 1 },
                [emit(Bills, `closed-${id}`, Bills.make.Closed({ order: id, why: 'unpaid' }))],
              ],
      })
      const store = createEventStore(connect())
      await store.ensureCategory(Orders, { queues: 2 })
      await store.ensureCategory(Bills, { queues: 2 })
      await ensureTopic(connect(), Mails)
      const running = runProcessManager(connect(), billing, { instance: 'p1', queues: 2 })
      await running.start()
      for (const order of ['o1', 'o2'])
        await store.append(Orders, order, [Orders.make.Placed({ cents: 5 })], { expected: 'empty' })
      await store.append(Bills, 'b1', [Bills.make.Paid({ order: 'o1' })], { expected: 'any' })
      await new Promise<void>((resolve) => world.time.plan(5_000, resolve))
      expect(await running.state('o1')).toEqual({ placed: true, paid: true, reminders: 0 })
      expect(await running.state('o2')).toEqual({ placed: true, paid: false, reminders: 1 })
      const { events } = await store.read(Bills, 'closed-o2')
      expect(events).toEqual([{ type: 'Closed', data: { order: 'o2', why: 'unpaid' } }])
    })
  })
})
