/** Every example at work: its ends, and what it left at the services. */
import { createEventStore } from '@sagalog/event-store'
import { runProcessManager } from '@sagalog/saga'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Sagalog } from 'sagalog'
import { expectUndosAreTested, sagaTest, simulate } from 'sagalog/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { approvedOrderSaga, type Bank } from '../src/approval.js'
import { clerk, Orders, payment, Payments, Stock, stock } from '../src/choreography.js'
import { type BookingSite, tripSaga } from '../src/travel.js'

let dir = ''
let app: Sagalog | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sagalog-examples-'))
})
afterEach(async () => {
  await app?.close()
  app = undefined
  rmSync(dir, { recursive: true, force: true })
})

/** Books by key, and keeps what is booked. */
function bookingSite(
  isFree: (city: string) => boolean,
): BookingSite & { readonly booked: Set<string> } {
  const booked = new Set<string>()
  return {
    booked,
    book: async (key, city) => {
      if (!isFree(city)) return undefined
      booked.add(key)
      return `booking ${key}`
    },
    cancel: async (key) => void booked.delete(key),
  }
}

describe('a trip', () => {
  const mails: string[] = []
  const sites = {
    hotels: bookingSite(() => true),
    flights: bookingSite(() => true),
    cars: bookingSite((city) => city !== 'Venice'),
    card: { charge: async (_: string, cents: number) => (cents > 500 ? undefined : 'receipt') },
    mail: async (_: string, text: string) => void mails.push(text),
  }
  const trip = tripSaga(sites)
  const input = (city: string, cents: number) => ({ traveller: 'ada', city, cents })

  test('is booked side by side, or not at all', async () => {
    app = await Sagalog.open({ dir })
    const runtime = app.sagas({ sagas: [trip], instance: 'one', queues: 2 })
    await runtime.start()
    const trips = runtime.of(trip)
    await trips.start('rome', input('Rome', 100))
    await trips.start('venice', input('Venice', 100))
    await trips.start('oslo', input('Oslo', 1_000))
    expect(await trips.result('rome')).toMatchObject({ results: { pay: 'receipt' } })
    expect(await trips.result('venice')).toMatchObject({
      reason: { kind: 'refused', step: 'car', refusal: { full: 'car' } },
    })
    expect(await trips.result('oslo')).toMatchObject({ reason: { refusal: { declined: 1_000 } } })
    for (const { booked } of [sites.hotels, sites.flights, sites.cars])
      expect([...booked].map((key) => key.split('/')[0])).toEqual(['rome'])
    expect(mails.filter((text) => text.startsWith('booking'))).toHaveLength(1)
  })

  test('has tests that notice each missing undo, and holds in worlds that crash', async () => {
    const services = { hotel: () => 'h', flight: () => 'f', car: () => 'c', pay: () => 'r' }
    await expectUndosAreTested(trip, async (tested) => {
      const { trace } = await sagaTest(tested)
        .input(input('Rome', 100))
        .fail('pay', { declined: 1 })
        .run()
      expect(trace.slice(-3)).toEqual(['undo car', 'undo flight', 'undo hotel'])
    })
    const report = await simulate(trip, {
      services,
      input: () => input('Rome', 1),
      seeds: 5,
    }).always((end) => !end.committed || end.effects('pay').done === 1)
    expect(report.sagas).toBe(15)
  }, 60_000)
})

test('an order waits for a person; a payment in doubt is taken back', async () => {
  const holds = new Set<string>()
  const bank: Bank = {
    hold: async (key, cents) => {
      holds.add(key)
      // The money is held, and nobody hears of it.
      return cents === 13 ? new Promise(() => {}) : `hold ${key}`
    },
    release: async (key) => void holds.delete(key),
    take: async (_, hold) => `took ${hold}`,
  }
  const definition = approvedOrderSaga(bank)
  app = await Sagalog.open({ dir })
  const runtime = app.sagas({ sagas: [definition], instance: 'one', queues: 2 })
  await runtime.start()
  const orders = runtime.of(definition)
  for (const [id, cents] of [
    ['small', 5],
    ['large', 200_000],
    ['refused', 300_000],
    ['doubt', 13],
  ] as const)
    await orders.start(id, { order: `order ${id}`, cents })
  // Nobody is asked about the small one.
  expect(await orders.result('small')).toMatchObject({ outcome: 'completed' })
  const answers = { 'order large': true, 'order refused': false }
  for (const [businessKey, isApproved] of Object.entries(answers))
    await orders.signal({ businessKey }, 'approval', { by: 'ada', isApproved })
  expect(await orders.result('large')).toMatchObject({ results: { approval: { by: 'ada' } } })
  expect(await orders.result('refused')).toMatchObject({
    reason: { step: 'approval', refusal: { refusedBy: 'ada' } },
  })
  expect(await orders.result('doubt')).toMatchObject({ reason: { kind: 'timeout', step: 'hold' } })
  expect([...holds].toSorted()).toEqual(['large/hold', 'small/hold'])
})

test('three process managers bring orders to their ends without a conductor', async () => {
  app = await Sagalog.open({ dir })
  const { connection } = app
  const store = createEventStore(connection)
  await store.ensureCategory(Orders, { queues: 2 })
  await store.ensureCategory(Stock, { queues: 2 })
  await store.ensureCategory(Payments, { queues: 2 })
  const options = { instance: 'one', queues: 2 }
  const running = [
    runProcessManager(connection, stock, options),
    runProcessManager(connection, payment, options),
    runProcessManager(connection, clerk, options),
  ]
  for (const one of running) await one.start()
  const orders = { good: [1, 100], many: [9, 100], dear: [1, 99_999] } as const
  for (const [order, [cds, cents]] of Object.entries(orders))
    await store.append(Orders, order, [Orders.make.Placed({ cds, cents })], { expected: 'empty' })
  const endOf = async (order: string): Promise<string> => {
    for (let tries = 0; tries < 400; tries += 1) {
      const { events } = await store.read(Orders, order)
      const end = events.find(({ type }) => type !== 'Placed')
      if (end !== undefined) return JSON.stringify(end)
      await pause(25)
    }
    return 'none'
  }
  expect(await endOf('good')).toContain('Confirmed')
  expect(await endOf('many')).toContain('sold out')
  expect(await endOf('dear')).toContain('declined')
  for (let tries = 0; tries < 400; tries += 1) {
    const { events } = await store.read(Stock, 'dear')
    if (events.some(({ type }) => type === 'Released')) break
    await pause(25)
  }
  expect((await store.read(Stock, 'dear')).events.map(({ type }) => type)).toEqual([
    'Reserved',
    'Released',
  ])
  for (const one of running) await one.close()
})

describe('a service that is redeployed', () => {
  const program = fileURLToPath(new URL('../dist/redeployed.js', import.meta.url))
  const running: ChildProcess[] = []
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL')
  })

  async function serve(): Promise<{ child: ChildProcess; url: string; ended: Promise<string> }> {
    const child = spawn(process.execPath, [program, join(dir, 'data'), '0'])
    running.push(child)
    let output = ''
    const hear = (bytes: Buffer): void => {
      output += bytes.toString()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const ended = new Promise<string>((resolve) => {
      child.on('close', () => resolve(output))
    })
    const isOver = ended.then(() => true)
    while (!/listening on \S+:\d+/.test(output))
      if ((await Promise.race([pause(20), isOver])) === true) throw new Error(output)
    return { child, url: /on (\S+)/.exec(output)?.[1] ?? '', ended }
  }

  test('hands its sagas over: each of them ends, once', async () => {
    expect(existsSync(program), 'run npm run build first').toBe(true)
    const first = await serve()
    const ids = Array.from({ length: 12 }, (_, index) => `order-${index}`)
    const put = (url: string, id: string): Promise<Response> =>
      fetch(`${url}/orders/${id}`, { method: 'PUT' })
    for (const id of ids) expect((await put(first.url, id)).status).toBe(200)
    first.child.kill('SIGTERM')
    expect(await first.ended).toContain('closed')
    const second = await serve()
    // A gateway that repeats a request starts nothing anew.
    expect((await put(second.url, 'order-0')).status).toBe(200)
    const states = async (): Promise<readonly string[]> => {
      const answers = ids.map(async (id) => (await fetch(`${second.url}/orders/${id}`)).json())
      return (await Promise.all(answers)).map((body) => (body as { state: string }).state)
    }
    let seen = await states()
    for (let tries = 0; tries < 400 && seen.some((state) => state !== 'completed'); tries += 1) {
      await pause(50)
      seen = await states()
    }
    expect(seen).toEqual(ids.map(() => 'completed'))
    second.child.kill('SIGTERM')
    expect(await second.ended).toContain('closed')
  }, 90_000)
})
