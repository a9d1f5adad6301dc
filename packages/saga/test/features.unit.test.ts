/** Steps side by side, conditions, loops, signals, children, locks, limits and deadlines. */
import { type InboxMessage, irreversible, remote, saga, type SagaEvent } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { type Committed, memoryWorld, type MemoryWorld } from './memory-world.js'
import { OutOfStock, Reserved, StockCommands } from './orders.js'

const sagaId = 's1'
const start = (input: unknown = 1): InboxMessage => ({
  kind: 'start',
  sagaId,
  input,
  lane: undefined,
  parent: undefined,
})
const done = (step: string, result: unknown): InboxMessage => ({
  kind: 'done',
  sagaId,
  step,
  result,
})
const undone = (step: string): InboxMessage => ({ kind: 'undone', sagaId, step })
const history = async (world: MemoryWorld): Promise<readonly string[]> =>
  (await world.events(sagaId)).map(({ type, data }: SagaEvent) =>
    'step' in data ? `${type} ${data.step}` : type,
  )
const bodies = (committed: Committed, topic: string): readonly unknown[] =>
  committed.sent.filter((sent) => sent.topic === topic).map(({ body }) => body)
const nothing = () => TE.right(undefined)
const local = (log: string[], name: string) => ({
  out: t.string,
  run: () => async () => {
    log.push(name)
    return E.right(name)
  },
  undo: (_: unknown, before: O.Option<string>) => async () => {
    log.push(`undo ${name} ${before._tag}`)
    return E.right(undefined)
  },
})

describe('steps side by side', () => {
  it('run in one round, and are all undone in reverse when one is refused', async () => {
    const running = new Set<string>()
    let most = 0
    const beside = (name: string, outcome: () => E.Either<string, string>) => ({
      out: t.string,
      run: () => async () => {
        running.add(name)
        most = Math.max(most, running.size)
        await Promise.resolve()
        await Promise.resolve()
        running.delete(name)
        return outcome()
      },
      undo: nothing,
    })
    const trip = saga('trip', 1, t.number)
      .step('first', { out: t.string, run: () => TE.right('f'), undo: nothing })
      .all((step) => ({
        hotel: step(beside('hotel', () => E.right('h'))),
        flight: step(beside('flight', () => E.right('f'))),
        car: step(beside('car', () => E.left('no car'))),
      }))
      .pivot('pay', { out: t.string, run: (c) => TE.right(c.hotel + c.flight) })
      .end()
    const world = await memoryWorld(trip)
    await world.settle(start())
    expect(most).toBe(3)
    expect((await history(world)).slice(-8)).toEqual([
      'StepRefused car',
      'UndoStarted flight',
      'UndoDone flight',
      'UndoStarted hotel',
      'UndoDone hotel',
      'UndoStarted first',
      'UndoDone first',
      'Compensated',
    ])
  })

  it('that services do: one that has not answered is undone as in doubt', async () => {
    const ask = remote({
      to: StockCommands,
      out: Reserved,
      refusal: OutOfStock,
      run: () => ({ order: 1, action: 'reserve' as const }),
      undo: (_: unknown, before) => ({
        order: O.isSome(before) ? before.value.left : -1,
        action: 'release' as const,
      }),
      timeoutMs: () => 1_000,
    })
    const both = saga('both', 1, t.number)
      .all((step) => ({ a: step(ask), b: step(ask) }))
      .end()
    const world = await memoryWorld(both)
    expect(bodies(await world.handle(start()), 'stock-commands')).toHaveLength(2)
    const refused: InboxMessage = {
      kind: 'refused',
      sagaId,
      step: 'b',
      refusal: { tag: 'out-of-stock' },
    }
    const back = await world.handle(refused)
    expect(bodies(back, 'stock-commands')).toEqual([{ order: -1, action: 'release' }])
    expect(back.cancelled).toHaveLength(2)
    expect((await world.handle(done('a', { left: 1 }))).isEffective).toBe(false)
    await world.handle(undone('a'))
    expect((await history(world)).at(-1)).toBe('Compensated')
  })
})

describe('conditions and loops', () => {
  it('skip a step, and give undefined for its result', async () => {
    const log: string[] = []
    const gift = saga('gift', 1, t.boolean)
      .when('wrap', (c) => c.input, local(log, 'wrap'))
      .then('send', { out: t.string, run: (c) => TE.right(c.wrap ?? 'plain') })
      .end()
    const plain = await memoryWorld(gift)
    await plain.settle(start(false))
    expect(await history(plain)).toContain('StepSkipped wrap')
    expect((await plain.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'plain' } })
    const wrapped = await memoryWorld(gift)
    await wrapped.settle(start(true))
    expect((await wrapped.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'wrap' } })
  })

  it('run a step for each item, and undo those that ran', async () => {
    const log: string[] = []
    const basket = saga('basket', 1, t.array(t.string))
      .forEach('reserve', (c) => c.input, {
        out: t.string,
        run: (c, m) => async () => {
          log.push(`${m.step} ${c.item}`)
          return c.item === 'sold out' ? E.left('no') : E.right(`${c.item}!`)
        },
        undo: (c, before) => async () => {
          log.push(`undo ${c.item} ${c.index} ${O.toUndefined(before) ?? '-'}`)
          return E.right(undefined)
        },
      })
      .then('sum', { out: t.string, run: (c) => TE.right(c.reserve.join()) })
      .end()
    const world = await memoryWorld(basket)
    await world.settle(start(['a', 'b']))
    expect((await world.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'a!,b!' } })
    const empty = await memoryWorld(basket)
    await empty.settle(start([]))
    expect((await history(empty)).at(-1)).toBe('Completed')
    log.length = 0
    const back = await memoryWorld(basket)
    await back.settle(start(['a', 'b', 'sold out']))
    expect(log).toEqual([
      'reserve#0 a',
      'reserve#1 b',
      'reserve#2 sold out',
      'undo b 1 b!',
      'undo a 0 a!',
    ])
  })

  it('a step without an undo is passed over, and the history says why', async () => {
    const mail = saga('mail', 1, t.number)
      .step('mail', { out: t.string, run: () => TE.right('x'), undo: irreversible('it is gone') })
      .step('no', { out: t.string, run: () => TE.left('no'), undo: nothing })
      .end()
    const world = await memoryWorld(mail)
    await world.settle(start())
    expect((await world.events(sagaId)).at(-2)).toEqual({
      type: 'UndoSkipped',
      data: { step: 'mail', why: 'it is gone' },
    })
  })
})

describe('signals and deadlines', () => {
  const Answer = t.type({ approved: t.boolean }, 'Answer')
  const approval = (deadline?: number) =>
    saga('approval', 1, t.number, deadline === undefined ? {} : { deadlineMs: () => deadline })
      .signal('approve', {
        codec: Answer,
        ask: 'Is it approved?',
        accept: (_, answer) => (answer.approved ? E.right(answer) : E.left('declined' as const)),
        timeoutMs: () => 5_000,
      })
      .then('go', { out: t.boolean, run: (c) => TE.right(c.approve.approved) })
      .end()
  const signal = (value: unknown): InboxMessage => ({
    kind: 'signal',
    sagaId,
    signal: 'approve',
    value,
  })

  it('a signal goes on with the saga, the first one only', async () => {
    const world = await memoryWorld(approval())
    expect((await world.handle(start())).timers).toEqual(['approval/s1/approve'])
    const { cancelled } = await world.handle(signal({ approved: true }))
    expect(cancelled).toEqual(['approval/s1/approve'])
    expect((await history(world)).at(-1)).toBe('Completed')
    expect((await world.handle(signal({ approved: false }))).isEffective).toBe(false)
  })

  it('a signal that comes before its saga is kept', async () => {
    const world = await memoryWorld(approval())
    await world.handle(signal({ approved: true }))
    await world.handle(start())
    expect(await history(world)).toEqual([
      'SignalReceived',
      'Started',
      'StepStarted approve',
      'StepDone approve',
      'StepStarted go',
      'StepDone go',
      'Completed',
    ])
  })

  it('a signal is asked for only above a limit', async () => {
    const limited = saga('limited-approval', 1, t.number)
      .signalWhen('approve', (c) => c.input > 100, { codec: t.string })
      .pivot('pay', { out: t.string, run: (c) => TE.right(c.approve ?? 'nobody was asked') })
      .signalWhen('fetched', (c) => c.input > 200, { codec: t.string })
      .end()
    const small = await memoryWorld(limited)
    await small.settle(start(100))
    expect((await history(small)).at(-1)).toBe('Completed')
    expect(await history(small)).toContain('StepSkipped approve')
    const large = await memoryWorld(limited)
    await large.settle(start(101))
    expect((await history(large)).at(-1)).toBe('StepStarted approve')
    await large.settle(signal('ada'))
    expect((await large.events(sagaId)).at(-3)).toMatchObject({ data: { result: 'ada' } })
    expect((await history(large)).at(-1)).toBe('Completed')
  })

  it('a signal may refuse, or not come in time', async () => {
    const refused = await memoryWorld(approval())
    await refused.handle(start())
    await refused.handle(signal({ approved: false }))
    expect(await history(refused)).toContain('StepRefused approve')
    const late = await memoryWorld(approval())
    await late.handle(start())
    const timeout = { kind: 'timeout' as const, sagaId, step: 'approve', attempt: 1 }
    await late.handle({ ...timeout, action: undefined })
    expect((await late.events(sagaId)).at(-1)).toMatchObject({
      data: { reason: { kind: 'timeout', step: 'approve' } },
    })
  })

  it('a deadline compensates, unless the pivot has begun', async () => {
    const world = await memoryWorld(approval(10_000))
    expect((await world.handle(start())).timers).toContain('approval/s1')
    await world.handle({ kind: 'deadline', sagaId })
    expect((await world.events(sagaId)).at(-1)).toMatchObject({
      data: { reason: { kind: 'deadline' } },
    })
    const past = await memoryWorld(
      saga('past', 1, t.number, { deadlineMs: () => 1 })
        .pivot('p', { out: t.null, run: () => async () => Promise.reject(new Error('busy')) })
        .end(),
    )
    await past.handle(start())
    expect((await past.handle({ kind: 'deadline', sagaId })).isEffective).toBe(false)
  })

  it('cancel compensates too', async () => {
    const world = await memoryWorld(approval())
    await world.handle(start())
    await world.handle({ kind: 'cancel', sagaId, reason: 'the customer left' })
    expect((await world.events(sagaId)).at(-1)).toMatchObject({
      data: { reason: { kind: 'cancelled', message: 'the customer left' } },
    })
  })
})

describe('after the pivot', () => {
  const forward = (log: string[], name: string) => {
    const { out, run } = local(log, name)
    return { out, run }
  }
  const pivoted = (log: string[]) =>
    saga('pivoted', 1, t.array(t.string))
      .step('hold', local(log, 'hold'))
      .pivot('pay', forward(log, 'pay'))

  it('steps stand side by side, on a condition and in loops too', async () => {
    const log: string[] = []
    const shipped = pivoted(log)
      .all((step) => ({ mail: step(forward(log, 'mail')), bill: step(forward(log, 'bill')) }))
      .when('wrap', (c) => c.input.length > 1, forward(log, 'wrap'))
      .forEach('ship', (c) => c.input, {
        out: t.string,
        run: (c) => TE.right(`${c.item} ${c.index} ${c.mail} ${c.bill} ${c.wrap ?? 'plain'}`),
      })
      .end()
    expect(shipped.steps.map(({ phase, name }) => `${phase} ${name}`)).toEqual([
      'step hold',
      'pivot pay',
      'then mail',
      'then bill',
      'then wrap',
      'then ship',
    ])
    const world = await memoryWorld(shipped)
    await world.settle(start(['a']))
    const ship = (await world.events(sagaId)).find(
      ({ type, data }) => type === 'StepDone' && data.step === 'ship#0',
    )
    expect(ship).toMatchObject({ data: { result: 'a 0 mail bill plain' } })
    expect((await history(world)).at(-1)).toBe('Completed')
  })

  it('a signal is waited for; too late or refused, a person has to look', async () => {
    const waiting = pivoted([])
      .signal('fetched', {
        codec: t.boolean,
        // As someone without types could write it.
        accept: (_, isFetched) => (isFetched ? E.right(true) : (E.left('no') as E.Right<boolean>)),
        timeoutMs: () => 1_000,
      })
      .end()
    const signal = (value: boolean): InboxMessage => ({
      kind: 'signal',
      sagaId,
      signal: 'fetched',
      value,
    })
    const world = await memoryWorld(waiting)
    await world.settle(start([]))
    expect((await world.handle({ kind: 'cancel', sagaId, reason: 'no' })).isEffective).toBe(false)
    const late = { kind: 'timeout' as const, sagaId, step: 'fetched', attempt: 1 }
    const { changes } = await world.handle({ ...late, action: undefined })
    expect(changes.map(({ after }) => after.parked)).toEqual(['fetched did not come in time'])
    await world.handle(signal(true))
    await world.handle({
      kind: 'operator',
      sagaId,
      action: 'retry',
      step: undefined,
      result: null,
      by: 'ada',
    })
    expect((await history(world)).at(-1)).toBe('Completed')
    const refused = await memoryWorld(waiting)
    await refused.settle(start([]))
    const after = (await refused.handle(signal(false))).changes.map((change) => change.after)
    expect(after).toMatchObject([
      { phase: 'running', parked: expect.stringContaining('refused after the pivot') },
    ])
  })

  it('a child goes forward as its parent does, and nobody takes it back', async () => {
    const parcel = saga('parcel', 1, t.array(t.string))
      .then('pack', { out: t.string, run: (c) => TE.right(c.input.join()) })
      .forEach('label', (c) => c.input, { out: t.string, run: (c) => TE.right(`for ${c.item}`) })
      .end()
    const sent = pivoted([])
      .child('parcel', parcel, (c) => c.input)
      .then('tell', { out: t.string, run: (c) => TE.right(c.parcel.label.join(' and ')) })
      .end()
    const world = await memoryWorld(sent)
    const commits = await world.settle(start(['a', 'b']))
    const begun = commits.flatMap((one) => bodies(one, 'saga-parcel'))
    const childWorld = await memoryWorld(parcel)
    const ended = await childWorld.settle(begun[0] as InboxMessage)
    const answer = ended.flatMap((one) => bodies(one, 'saga-pivoted'))
    expect(answer).toMatchObject([{ result: { pack: 'a,b', label: ['for a', 'for b'] } }])
    await world.settle(answer[0] as InboxMessage)
    expect((await world.events(sagaId)).at(-2)).toMatchObject({
      data: { step: 'tell', result: 'for a and for b' },
    })
    const revocable = saga('revocable', 1, t.number).step('a', local([], 'a')).end()
    expect(() =>
      // @ts-expect-error '"back"' is not assignable to '"ahead"'
      pivoted([]).child('sub', revocable, () => 1),
    ).toThrow('it begins with then')
  })
})

describe('children', () => {
  const child = saga('child', 1, t.number)
    .step('x', { out: t.number, run: (c) => TE.right(c.input + 1), undo: nothing })
    .end()
  const parent = saga('parent', 1, t.number)
    .child('sub', child, (c) => c.input * 10)
    .step('after', {
      out: t.number,
      run: (c) => (c.sub.x > 50 ? TE.left('too much') : TE.right(c.sub.x)),
      undo: nothing,
    })
    .end()

  it('are started, answer, and are compensated with their parent', async () => {
    const world = await memoryWorld(parent)
    const { sent } = await world.handle(start(5))
    expect(sent).toMatchObject([
      { topic: 'saga-child', body: { kind: 'start', sagaId: 's1.sub', input: 50 } },
    ])
    const childWorld = await memoryWorld(child)
    const [first] = sent
    const commits = await childWorld.settle(first?.body as InboxMessage)
    const answer = commits.flatMap((one) => bodies(one, 'saga-parent'))
    expect(answer).toEqual([{ kind: 'done', sagaId, step: 'sub', result: { x: 51 } }])
    const back = await world.settle(answer[0] as InboxMessage)
    const revoke = back.flatMap((one) => bodies(one, 'saga-child'))
    expect(revoke).toEqual([{ kind: 'revoke', sagaId: 's1.sub' }])
    const undoing = await childWorld.settle(revoke[0] as InboxMessage)
    const taken = undoing.flatMap((one) => bodies(one, 'saga-parent'))
    expect(taken).toEqual([{ kind: 'undone', sagaId, step: 'sub' }])
    await world.handle(taken[0] as InboxMessage)
    expect((await history(world)).at(-1)).toBe('Compensated')
    const again = await childWorld.handle(revoke[0] as InboxMessage)
    expect(bodies(again, 'saga-parent')).toEqual(taken)
  })

  it('have ids that fit: one of a child of a child is checked like any other', async () => {
    const world = await memoryWorld(parent)
    const long = { ...start(5), sagaId: 'x'.repeat(198) }
    const { changes } = await world.handle(long)
    expect(changes.map(({ after }) => after.parked)).toEqual([
      expect.stringContaining('cannot be used: it is longer than 200 characters'),
    ])
  })

  it('with a pivot are refused: they could not be compensated', () => {
    const pivoted = saga('pivoted', 1, t.number)
      .pivot('p', { out: t.null, run: () => TE.right(null) })
      .end()
    // @ts-expect-error '"turn"' is not assignable to '"back"'
    expect(() => saga('p', 1, t.number).child('sub', pivoted, (c) => c.input)).toThrow('no pivot')
  })
})

describe('locks and limits', () => {
  it('a lock is held to the end, whichever way it ends', async () => {
    const locked = saga('locked', 1, t.string)
      .lock('account', (c) => `account ${c.input}`)
      .step('a', { out: t.null, run: () => TE.left('no'), undo: nothing })
      .end()
    const world = await memoryWorld(locked)
    const gate = 'lock/account 7'
    expect(bodies(await world.handle(start('7')), 'saga-gates')).toMatchObject([
      { kind: 'acquire', gate, asking: { slots: 1 } },
    ])
    const granted: InboxMessage = { kind: 'granted', sagaId, step: 'account', attempt: 1 }
    const commits = await world.settle(granted)
    expect(commits.flatMap((one) => bodies(one, 'saga-gates'))).toEqual([
      { kind: 'release', gate, holder: 'locked/s1/account' },
    ])
  })

  it('a limited step waits for its turn at each attempt and gives it back', async () => {
    const limit = { name: 'bank', concurrency: 2 }
    let isBroken = true
    const limited = saga('limited', 1, t.number)
      .step('pay', {
        out: t.string,
        limit,
        run: () => async () => {
          if (isBroken) throw new Error('busy')
          return E.right('paid')
        },
        undo: nothing,
      })
      .end()
    const world = await memoryWorld(limited)
    expect(bodies(await world.handle(start()), 'saga-gates')).toMatchObject([{ kind: 'acquire' }])
    const grant = (attempt: number): InboxMessage => ({
      kind: 'granted',
      sagaId,
      step: 'pay',
      attempt,
    })
    const failed = (await world.settle(grant(1))).at(-1)
    expect(failed?.scheduled).toMatchObject([{ message: { attempt: 2 } }])
    expect(failed === undefined ? [] : bodies(failed, 'saga-gates')).toMatchObject([
      { kind: 'release' },
    ])
    isBroken = false
    const [again] = failed?.scheduled ?? []
    const asked = await world.handle(again?.message as InboxMessage)
    expect(bodies(asked, 'saga-gates')).toMatchObject([{ kind: 'acquire', asking: { attempt: 2 } }])
    const ended = (await world.settle(grant(2))).at(-1)
    expect(ended === undefined ? [] : bodies(ended, 'saga-gates')).toHaveLength(1)
    expect((await history(world)).at(-1)).toBe('Completed')
  })
})
