/**
 * The orders over a broker that others share: in one process over TCP, and in the full run as four
 * processes, two of which are killed in the middle.
 */
import { type Connection, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { createEventStore } from '@sagalog/event-store'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStandalone } from 'sagalog'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { orchestrator, orderOf, placeOrders } from '../src/orchestrator.js'
import { PaymentEvents, paymentService, StockEvents, stockService } from '../src/services.js'

const ORDERS = 12
let dir = ''
const ends: (() => unknown)[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sagalog-three-processes-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

function connectTo(port: number): Connection {
  const connection = openConnection({
    connect: connectTcp({ host: '127.0.0.1', port }),
    ports: { clock: nodeClock(), random: nodeRandom() },
  })
  ends.push(() => connection.close())
  return connection
}

/** Five of each item at most, whoever comes first; each order that was charged has its item. */
async function expectSoundBooks(port: number, lines: readonly string[]): Promise<void> {
  const outcomes = new Map(lines.map((line) => line.split(' ', 2) as [string, string]))
  expect([...outcomes.keys()]).toEqual(Array.from({ length: ORDERS }, (_, n) => `order-${n + 1}`))
  const store = createEventStore(connectTo(port))
  const taken = new Map<string, number>()
  for (const item of ['book', 'disc'])
    for (const { type, data } of (await store.read(StockEvents, item)).events) {
      const key = `${item} ${data.order}`
      taken.set(key, (taken.get(key) ?? 0) + (type === 'Taken' ? data.count : -data.count))
    }
  const kept = [...taken].filter(([, count]) => count !== 0)
  const completed = [...outcomes].filter(([, outcome]) => outcome === 'completed')
  expect(kept.every(([, count]) => count === 1)).toBe(true)
  expect(kept.map(([key]) => key.split(' ')[1] ?? '').toSorted()).toEqual(
    completed.map(([order]) => order).toSorted(),
  )
  // Each fourth is too dear: the others fit on the shelves, unless a dear one was there for long.
  expect(completed.length).toBeGreaterThanOrEqual(7)
  for (let n = 1; n <= ORDERS; n += 1) {
    const { events } = await store.read(PaymentEvents, `order-${n}`)
    const isCompleted = outcomes.get(`order-${n}`) === 'completed'
    expect(events.map(({ data }) => data.cents)).toEqual(isCompleted ? [orderOf(n).cents] : [])
  }
}

test('two services and a runtime, each over a connection of its own', async () => {
  const said: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line))
  const options = { brokerPort: 0, nameServerPort: 0, durability: 'os' as const }
  const server = await openStandalone({ dir: join(dir, 'data'), ...options })
  ends.push(() => server.close())
  const port = server.brokerPort
  const runtime = await orchestrator(connectTo(port))
  ends.push(() => runtime.close())
  const services = [await stockService(connectTo(port)), await paymentService(connectTo(port))]
  for (const service of services) {
    await service.start()
    ends.push(() => service.close())
  }
  await placeOrders(runtime, ORDERS)
  await expectSoundBooks(
    port,
    said.filter((line) => line.startsWith('order-')),
  )
})

interface Running {
  readonly child: ChildProcess
  says(pattern: RegExp): Promise<string>
}

function start(program: string, ...args: readonly string[]): Running {
  expect(existsSync(program), 'run npm run build first').toBe(true)
  const child = spawn(process.execPath, [program, ...args], { cwd: dir })
  ends.push(() => child.kill('SIGKILL'))
  let output = ''
  const listeners = new Set<() => void>()
  const hear = (bytes: Buffer): void => {
    output += bytes.toString()
    for (const listener of listeners) listener()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const says = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(output)) resolve(output)
      }
      listeners.add(look)
      child.on('close', () => reject(new Error(`${args.join(' ')} ended: ${output}`)))
      look()
    })
  return { child, says }
}

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const main = fileOf('../dist/main.js')

test.runIf(process.env['SAGALOG_FULL'] === '1')(
  'four processes, of which a service and the orchestrator are killed in the middle',
  async () => {
    const broker = start(
      fileOf('../../../packages/sagalog/bin/sagalog.js'),
      ...['start', '--dir', './data', '--port', '0', '--name-server-port', '0'],
    )
    const [, port = ''] = /broker \S+:(\d+)/.exec(await broker.says(/sagalog is ready/)) ?? []
    const first = start(main, 'orchestrator', port, String(ORDERS))
    await first.says(/orchestrator is ready/)
    const stock = start(main, 'stock', port)
    await stock.says(/took 1 \S+ for order-2/)
    stock.child.kill('SIGKILL')
    // What it said it took need not be committed: without another one nothing might be charged.
    start(main, 'stock', port)
    await start(main, 'payment', port).says(/charged/)
    first.child.kill('SIGKILL')
    const second = start(main, 'orchestrator', port, String(ORDERS))
    const said = await second.says(/all orders have ended/)
    await expectSoundBooks(
      Number(port),
      said.split('\n').filter((line) => line.startsWith('order-')),
    )
  },
  120_000,
)
