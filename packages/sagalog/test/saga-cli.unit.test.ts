/** `sagalog saga` on a directory that a program has left: what an operator sees and decides. */
import { createSagaRuntime, irreversible, saga, type SagaHandle, sagaMermaid } from '@sagalog/saga'
import { openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openStandalone, Sagalog } from 'sagalog'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sagaCommands } from '../src/cli/saga.js'
import { sagalogWith } from './terminal.js'

const nothing = () => TE.right(undefined)
const trip = saga('trip', 1, t.type({ city: t.string }))
  .step('mail', { out: t.null, run: () => TE.right(null), undo: irreversible('it is sent') })
  .all((step) => ({
    hotel: step({ out: t.string, run: () => TE.right('h<1>'), undo: nothing }),
    flight: step({ out: t.string, run: () => TE.right('f'), undo: nothing }),
  }))
  .pivot('pay', {
    out: t.string,
    retry: { times: 1 },
    run: (c) => (c.input.city === 'Oz' ? TE.fromIO(() => fail()) : TE.right('paid')),
  })
  .end()
const fail = (): never => {
  throw new Error('no such "currency"')
}

let dir = ''
const run = (...args: readonly string[]) => sagalogWith([sagaCommands], ['saga', ...args])

/** What a person decides is done a little later. */
async function notParked(handle: SagaHandle<never, unknown>, id: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if ((await handle.query(id))?.state.parked === undefined) return
    await pause(25)
  }
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sagalog-saga-cli-'))
  const open = await Sagalog.open({ dir: join(dir, 'data') })
  const runtime = createSagaRuntime(open.connection, { sagas: [trip], instance: 'one', queues: 2 })
  await runtime.start()
  await runtime.of(trip).start('t1', { city: 'Rome' })
  await runtime.of(trip).start('t2', { city: 'Oz' })
  expect(await runtime.of(trip).result('t1')).toMatchObject({ outcome: 'completed' })
  expect(await runtime.of(trip).result('t2')).toMatchObject({ outcome: 'parked' })
  await runtime.close()
  await open.close()
}, 60_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('sagalog saga', () => {
  it('lists, and shows one with each attempt, its cause and its time', async () => {
    const list = await run('ls', 'trip', '--dir', join(dir, 'data'))
    expect(list.code, list.err).toBe(0)
    expect(list.out).toMatch(/t1 +completed +1 +\d+ s ago/)
    expect(list.out).toMatch(/t2 +parked .*pay failed: no such "currency"/)
    expect(list.out).toContain('2 sagas, 1 waits for a person')
    const only = await run('ls', 'trip', '--dir', join(dir, 'data'), '--state', 'parked', '--json')
    expect(JSON.parse(only.out)).toMatchObject([{ sagaId: 't2', state: 'parked' }])
    const sad = await run('ls', 'trip', '--dir', join(dir, 'data'), '--state', 'sad')
    expect([sad.code, sad.err]).toEqual([2, expect.stringContaining('running, undoing, parked')])
    const shown = await run('show', 'trip', 't2', '--dir', join(dir, 'data'))
    expect(shown.out).toMatch(/hotel done +\d+ ms +h<1>/)
    expect(shown.out).toContain('WAITS FOR A PERSON')
    const missing = await run('show', 'trip', 'none', '--dir', join(dir, 'data'))
    expect([missing.code, missing.err]).toEqual([
      1,
      'sagalog: there is no saga none of trip\nCheck the id, and that its start was sent.\n',
    ])
  })

  it('tells a saga what a person decided; the program goes on with it', async () => {
    const done = await run(
      'resolve',
      'trip',
      't2',
      '--dir',
      join(dir, 'data'),
      '--result',
      '"cash"',
      '--by',
      'ada',
    )
    expect([done.code, done.out]).toEqual([0, 'told trip t2: resolve\n'])
    const open = await Sagalog.open({ dir: join(dir, 'data') })
    const runtime = createSagaRuntime(open.connection, {
      sagas: [trip],
      instance: 'one',
      queues: 2,
    })
    await runtime.start()
    const handle = runtime.of(trip)
    await notParked(handle, 't2')
    expect(await handle.result('t2')).toMatchObject({ results: { pay: 'cash' } })
    await runtime.close()
    await open.close()
    const wrong = await run('resolve', 'trip', 't2', '--result', 'cash')
    expect([wrong.code, wrong.err.split('\n')[0]]).toEqual([
      2,
      "sagalog: option '--result <json>' argument 'cash' is invalid. it is JSON, a text in quotation marks.",
    ])
  })

  it('holds the definitions of a module against the sagas that run, and draws them', async () => {
    const module = fileURLToPath(new URL('./trip-saga.ts', import.meta.url))
    const open = await Sagalog.open({ dir: join(dir, 'data') })
    const runtime = createSagaRuntime(open.connection, {
      sagas: [trip],
      instance: 'one',
      queues: 2,
    })
    await runtime.start()
    await runtime.of(trip).start('t3', { city: 'Oz' })
    expect(await runtime.of(trip).result('t3')).toMatchObject({ outcome: 'parked' })
    await runtime.close()
    await open.close()
    const checked = await run('check', module, '--dir', join(dir, 'data'))
    expect(checked.code).toBe(1)
    expect(checked.out).toContain('1 running saga of trip version 1 cannot go on')
    expect(checked.out).toContain('- pivot pay: string, local, no undo')
    const html = await run('show', 'trip', 't3', '--module', module, '--dir', join(dir, 'data'))
    expect(html.out).toContain('<b>hotel</b>')
    expect(html.out).toContain('no such &quot;currency&quot;')
    expect(html.out).toContain('h&lt;1>')
    expect(html.out).not.toMatch(/<script|https?:/)
  })

  it('asks a running broker, whose program goes on with what a person decides', async () => {
    const ports = { host: '127.0.0.1', brokerPort: 0, nameServerPort: 0 }
    const server = await openStandalone({ dir: join(dir, 'served'), ...ports })
    const connection = openConnection({
      connect: connectTcp({ host: '127.0.0.1', port: server.brokerPort }),
      ports: { clock: nodeClock(), random: nodeRandom() },
    })
    const runtime = createSagaRuntime(connection, { sagas: [trip], instance: 'one', queues: 2 })
    await runtime.start()
    const broker = ['--broker', `127.0.0.1:${server.brokerPort}`]
    await runtime.of(trip).start('t9', { city: 'Oz' })
    expect(await runtime.of(trip).result('t9')).toMatchObject({ outcome: 'parked' })
    const list = await run('ls', 'trip', ...broker)
    expect([list.code, list.err]).toEqual([0, ''])
    expect(list.out).toMatch(/t9 +parked/)
    const shown = await run('show', 'trip', 't9', ...broker)
    expect(shown.out).toContain('WAITS FOR A PERSON')
    const [, at = ''] = /^ *\d+ +\S+ s +(\d+) +hotel begins/m.exec(shown.out) ?? []
    const before = await run('show', 'trip', 't9', ...broker, '--at', at)
    expect([before.err, before.out.trimEnd().split('\n').at(-1)]).toEqual([
      '',
      expect.stringContaining('hotel begins'),
    ])
    const early = await run('show', 'trip', 't9', ...broker, '--at', '2001-01-01')
    expect([early.code, early.err]).toEqual([1, expect.stringContaining('no saga t9 of trip')])
    const wrong = await run('show', 'trip', 't9', ...broker, '--at', 'soon')
    expect(wrong.err).toContain('it is a position, or a time')
    const cash = ['--result', '"cash"', '--json']
    const resolved = await run('resolve', 'trip', 't9', ...cash, ...broker)
    expect([resolved.code, resolved.err]).toEqual([0, ''])
    expect(JSON.parse(resolved.out)).toEqual({ saga: 'trip', id: 't9', told: 'resolve' })
    await notParked(runtime.of(trip), 't9')
    expect(await runtime.of(trip).result('t9')).toMatchObject({ results: { pay: 'cash' } })
    const module = fileURLToPath(new URL('./trip-saga.ts', import.meta.url))
    expect((await run('check', module, ...broker)).out).toBe(
      '1 definition fit all sagas that run\n',
    )
    await runtime.close()
    connection.close()
    await server.close()
    expect(await run('ls', 'trip', ...broker)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`127.0.0.1:${server.brokerPort}`),
    })
  })

  it('draws a definition as Mermaid, steps side by side', () => {
    expect(sagaMermaid(trip)).toBe(`flowchart LR
  start(["trip 1"])
  s0_0["mail / local / no undo"]
  style s0_0 fill:#ffffff,stroke:#8c959f
  start --> s0_0
  s1_0["hotel / local"]
  style s1_0 fill:#ffffff,stroke:#8c959f
  s1_1["flight / local"]
  style s1_1 fill:#ffffff,stroke:#8c959f
  s0_0 --> s1_0
  s0_0 --> s1_1
  s2_0{{"pay / pivot / local"}}
  style s2_0 fill:#ffffff,stroke:#8c959f
  s1_0 --> s2_0
  s1_1 --> s2_0
  s2_0 --> done(["completed"])
`)
  })
})
