/** `sagalog stream`, `projection` and `verify` on a directory and over TCP. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  defineEvents,
  inMemoryEvents,
  projection,
  withInlineProjections,
} from '@sagalog/event-store'
import { streamVersion } from '@sagalog/kernel'
import * as O from 'fp-ts/lib/Option.js'
import * as t from 'io-ts'
import { Sagalog } from '../src/open.js'
import { openStandalone } from '../src/standalone.js'
import { verifyEvents } from '../src/cli/verify-events.js'
import { sagalog } from './terminal.js'

const Orders = defineEvents('order', { Placed: t.type({ cents: t.number }) })

let directory = ''
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-events-'))
  await (await Sagalog.open({ dir: data() })).close()
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const data = () => join(directory, 'data')

async function append(stream: string, json: string, ...more: string[]) {
  const args = ['stream', 'append', 'order', stream, json, '--type', 'Placed', '--dir', data()]
  return await sagalog([...args, ...more])
}

describe('stream', () => {
  test('append, ls and read', async () => {
    expect(await append('o-1', '{"cents":5}', '--expected', 'empty')).toEqual({
      code: 0,
      out: 'version 1\n',
      err: '',
    })
    const refused = await append('o-1', '{"cents":6}', '--expected', 'empty')
    expect([refused.code, refused.err]).toEqual([
      1,
      'sagalog: the stream is at version 1, not empty\n',
    ])
    await append('o-1', '{"cents":7}', '--key', 'k')
    expect((await append('o-1', '{"cents":7}', '--key', 'k')).out).toBe('version 2, was there\n')
    await append('o-2', '{"cents":8}')
    const { out: listed } = await sagalog(['stream', 'ls', 'order', '--dir', data()])
    expect(listed.split('\n')).toEqual([
      expect.stringMatching(/^stream +version +state$/),
      expect.stringMatching(/^o-1 +2 +open$/),
      expect.stringMatching(/^o-2 +1 +open$/),
      '2 of 2 streams',
      '',
    ])
    const read = await sagalog(['stream', 'read', 'order', 'o-1', '--dir', data(), '--json'])
    const events = read.out.trimEnd().split('\n')
    expect(events.map((line) => (JSON.parse(line) as { data: unknown }).data)).toEqual([
      { cents: 5 },
      { cents: 7 },
    ])
    const back = ['stream', 'read', 'order', 'o-1', '--dir', data(), '--backward', '--limit', '1']
    expect((await sagalog(back)).out).toContain('{"cents":7}')
  })

  test('what makes no sense is said in one sentence', async () => {
    expect(await append('o-1', '{')).toMatchObject({ code: 2, err: /not JSON/ as never })
    const wrong = await append('o-1', '{}', '--expected', 'maybe')
    expect([wrong.code, wrong.err]).toMatchObject([
      2,
      expect.stringContaining('any, empty, exists'),
    ])
    const none = await sagalog(['stream', 'ls', 'nothing', '--dir', data()])
    expect([none.code, none.err]).toMatchObject([
      1,
      expect.stringContaining('category nothing is not there'),
    ])
    const nobody = ['stream', 'ls', 'order', '--broker', 'nobody']
    expect(await sagalog(nobody)).toMatchObject({ code: 2, err: /nobody:9876/ as never })
  })

  test('a directory without a log stays without one', async () => {
    const slip = join(directory, 'slip')
    for (const command of [['verify'], ['stream', 'ls', 'order']]) {
      const ended = await sagalog([...command, '--dir', slip])
      expect([ended.code, ended.err]).toEqual([1, expect.stringContaining('there is no log in')])
    }
    expect(existsSync(slip)).toBe(false)
  })

  test('a category keeps the queues that its program gave it', async () => {
    const opened = await Sagalog.open({ dir: data() })
    await opened.events.ensureCategory(Orders, { queues: 3 })
    await opened.close()
    expect((await append('o-1', '{"cents":5}')).out).toBe('version 1\n')
  })

  test('asks a running broker', async () => {
    const ports = { brokerPort: 0, nameServerPort: 0 }
    const server = await openStandalone({ dir: data(), host: '127.0.0.1', ...ports })
    try {
      const broker = `rocketmq://127.0.0.1:${server.nameServerPort}`
      const made = ['stream', 'append', 'order', 'o-9', '{}', '--type', 'T', '--broker', broker]
      expect((await sagalog(made)).out).toBe('version 1\n')
      const { out } = await sagalog(['stream', 'ls', 'order', '--broker', broker, '--json'])
      expect(JSON.parse(out)).toEqual({ total: 1, streams: [{ stream: 'o-9', version: 1 }] })
    } finally {
      await server.close()
    }
  })
})

describe('projection and verify', () => {
  const MODULE = (step: string, version = 1): string => {
    const entry = pathToFileURL(join(import.meta.dirname, '../../event-store/dist/index.js')).href
    const io = import.meta.resolve('io-ts')
    const option = import.meta.resolve('fp-ts/lib/Option.js')
    return [
      `import * as t from '${io}'`,
      `import * as O from '${option}'`,
      `import { defineEvents, projection } from '${entry}'`,
      `const Orders = defineEvents('order', { Placed: t.type({ cents: t.number }) })`,
      `export const projections = [projection({ name: 'sums', version: ${version}, from: [Orders],`,
      `  row: t.number, on: { Placed: (row, { cents }) => ${step} } })]`,
    ].join('\n')
  }
  const SUM = 'O.some((O.isSome(row) ? row.value : 0) + cents)'

  test('names a module that can not be used', async () => {
    writeFileSync(join(directory, 'empty.mjs'), 'export const nothing = 0')
    for (const name of ['missing.mjs', 'empty.mjs']) {
      const flags = ['--dir', data(), '--module', join(directory, name)]
      const { code, err } = await sagalog(['projection', 'ls', ...flags])
      expect([code, err]).toEqual([2, expect.stringMatching(/^sagalog: the module .* can not be/)])
      expect(err).toContain(name)
    }
  })

  test('builds, lists and proves the rows of a module', async () => {
    for (const cents of [1, 2, 3]) await append(`o-${cents % 2}`, `{"cents":${cents}}`)
    const module = join(directory, 'sums.mjs')
    writeFileSync(module, MODULE(SUM))
    const flags = ['--dir', data(), '--module', module]
    expect((await sagalog(['projection', 'rebuild', ...flags])).out).toBe(
      'sums version 1 is built\n',
    )
    const { out } = await sagalog(['projection', 'ls', ...flags])
    expect(out).toMatch(/^sums +1 +1 +runner +2 +0$/m)
    const sound = await sagalog(['verify', ...flags])
    expect([sound.code, sound.out]).toMatchObject([0, expect.stringContaining('2 as they must be')])
    expect(sound.out).toContain('sound')
    const other = join(directory, 'other.mjs')
    writeFileSync(other, MODULE('O.some(cents)'))
    const wrong = await sagalog([
      'projection',
      'verify',
      '--dir',
      data(),
      '--module',
      other,
      '--json',
    ])
    expect(wrong.code).toBe(1)
    expect(JSON.parse(wrong.out)).toMatchObject({
      isSound: false,
      projections: [{ difference: { counts: { changed: 1 } } }],
    })
  })

  test('leaves alone what is kept by those who append', async () => {
    const sums = projection({
      name: 'sums',
      version: 1,
      from: [Orders],
      row: t.number,
      on: { Placed: (row, { cents }) => O.some((O.isSome(row) ? row.value : 0) + cents) },
    })
    const opened = await Sagalog.open({ dir: data() })
    const inline = withInlineProjections(opened.events, [sums])
    await inline.ensureCategory(Orders, { queues: 1 })
    await inline.append(Orders, 'o-1', [Orders.make.Placed({ cents: 5 })], { expected: 'empty' })
    await opened.close()
    const module = join(directory, 'sums.mjs')
    writeFileSync(module, MODULE(SUM))
    const flags = ['--dir', data(), '--module', module]
    expect((await sagalog(['projection', 'rebuild', ...flags])).out).toBe(
      'sums version 1 is kept by those who append\n',
    )
    const { out } = await sagalog(['projection', 'ls', ...flags])
    expect(out).toMatch(/^sums +1 +1 +appends +1 +0$/m)
    expect((await sagalog(['verify', ...flags])).out).toContain('1 as they must be')
  })

  test('shows what is left out, and lets it back in once it can be applied', async () => {
    for (const [stream, cents] of [
      ['o-1', 1],
      ['o-1', -1],
      ['o-1', 4],
      ['o-2', 2],
    ] as const)
      await append(stream, `{"cents":${cents}}`)
    const [module, mended] = [join(directory, 'poison.mjs'), join(directory, 'mended.mjs')]
    writeFileSync(module, MODULE(`{ if (cents < 0) throw new Error('negative'); return ${SUM} }`))
    writeFileSync(mended, MODULE(SUM))
    const run = (command: string, file: string, ...more: string[]) =>
      sagalog(['projection', command, ...more, '--dir', data(), '--module', file])
    expect((await run('rebuild', module)).code).toBe(1)
    expect((await run('rebuild', module, '--park')).code).toBe(0)
    const before = await run('ls', module)
    expect(before.out).toMatch(/^sums +1 +1 +runner +2 +1$/m)
    expect(before.out).toContain('sums leaves out order/o-1 from version 2: Error: negative\n')
    expect(await run('release', module, 'sums', 'order/o-1')).toEqual({
      code: 1,
      out: '',
      err: 'sagalog: not released: order/o-1 version 2: Error: negative\n',
    })
    expect((await run('release', mended, 'others', 'order/o-1')).err).toBe(
      'sagalog: the module has no projection others\n',
    )
    expect(await run('release', mended, 'sums', 'order/o-1')).toEqual({
      code: 0,
      out: 'sums holds order/o-1 again, 3 events\n',
      err: '',
    })
    expect((await run('release', mended, 'sums', 'order/o-1')).err).toContain('is not parked')
    const after = await run('ls', mended, '--json')
    expect(JSON.parse(after.out)).toEqual([
      { name: 'sums', version: 1, active: 1, keptBy: 'runner', rows: 2, parked: {} },
    ])
    expect((await run('verify', mended)).out).toContain('2 as they must be')
  })

  test('finds a gap in a stream and a place out of order', async () => {
    const port = inMemoryEvents()
    await port.ensureCategory('c', { queues: 1 })
    const events = [{ type: 'T', schema: 1, data: Buffer.from('{}') }]
    for (const stream of ['a', 'b', 'a', 'a'])
      await port.append({ category: 'c', stream, expected: 'any', events })
    expect((await verifyEvents(port)).problems).toEqual([])
    const broken = Object.assign(Object.create(null) as object, {
      start: port.start,
      comparePositions: port.comparePositions.bind(port),
      readPage: port.readPage.bind(port),
      async readEvents(request: Parameters<typeof port.readEvents>[0]) {
        const page = await port.readEvents(request)
        return { ...page, events: page.events.filter(({ version }) => version !== 2) }
      },
    }) as unknown as typeof port
    expect((await verifyEvents(broken)).problems).toEqual([
      'c/a: version 3 stands behind version 1',
    ])
    expect(streamVersion(1)).toBe(1)
  })
})
