/**
 * What users install: every package is packed, installed from its tarball into an empty project,
 * imported, required, and used. Part of the full run, because npm must reach its registry.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Manifest, packages, readJson, top } from './source-tree.js'

const isFullRun = process.env['SAGALOG_FULL'] === '1'
const minutes = 60_000
const { config } = readJson<{ readonly config: { readonly pnpm: string } }>('package.json')

/** Every entry that a user can name, but for the manifest itself. */
function entriesOf(manifest: Manifest): readonly string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((name) => name !== './package.json')
    .map((name) => manifest.name + name.slice(1))
}
const entries = packages.flatMap(({ manifest }) => entriesOf(manifest))

let work = ''
let project = ''

function run(program: string, args: readonly string[], cwd: string): string {
  const shell = process.platform === 'win32'
  return execFileSync(program, args, { cwd, shell, encoding: 'utf8', stdio: 'pipe' })
}

/** Runs a program of the empty project; `.mjs` or `.cjs` decides how it loads our packages. */
function runProgram(name: string, lines: readonly string[]): string {
  writeFileSync(join(project, name), lines.join('\n'))
  return run(process.execPath, [name], project).trim()
}

function packAll(): readonly string[] {
  const tarballs = join(work, 'tarballs')
  mkdirSync(tarballs)
  for (const { folder } of packages)
    run(
      'npx',
      ['--yes', `pnpm@${config.pnpm}`, 'pack', '--pack-destination', tarballs],
      join(top, folder),
    )
  return readdirSync(tarballs).map((name) => join(tarballs, name))
}

describe.runIf(isFullRun)('the packed packages', () => {
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'sagalog-packed-'))
    project = join(work, 'project')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }\n')
    run('npm', ['install', '--no-audit', '--no-fund', ...packAll()], project)
  }, 5 * minutes)

  afterAll(() => {
    if (work !== '') rmSync(work, { recursive: true, force: true })
  })

  test.each(packages)(
    '$manifest.name has its licence, its types and a sound manifest',
    async (one) => {
      const folder = join(project, 'node_modules', one.manifest.name)
      expect(existsSync(join(folder, 'LICENSE'))).toBe(true)
      expect(existsSync(join(folder, 'dist', 'index.d.ts'))).toBe(true)
      expect(existsSync(join(folder, 'test'))).toBe(false)
      const { messages } = await publint({ pkgDir: folder, strict: true, pack: false })
      const packed: Record<string, unknown> = { ...one.manifest }
      expect(messages.map((message) => formatMessage(message, packed))).toEqual([])
    },
  )

  test.each(entries)('%s can be imported', (entry) => {
    const lines = [
      `import * as entry from '${entry}'`,
      `console.log(Object.keys(entry).length > 0 ? 'ok' : 'empty')`,
    ]
    expect(runProgram('import.mjs', lines)).toBe('ok')
  })

  test.each(entries)('%s can be required from CommonJS', (entry) => {
    const lines = [
      `const entry = require('${entry}')`,
      `console.log(Object.keys(entry).length > 0 ? 'ok' : 'empty')`,
    ]
    expect(runProgram('require.cjs', lines)).toBe('ok')
  })

  test('log-core alone is a durable log', () => {
    const lines = [
      `import { bytesDraft } from '@sagalog/kernel'`,
      `import { nodeClock } from '@sagalog/kernel/node'`,
      `import { openLog } from '@sagalog/log-core'`,
      `import { nodeDisk } from '@sagalog/log-core/node'`,
      `const options = { disk: nodeDisk(), clock: nodeClock(), directory: './log' }`,
      `const log = await openLog(options)`,
      `const appended = log.append([bytesDraft('message', Buffer.from('hello'))])`,
      `await log.waitFor(appended.end, 'sync')`,
      `const { position } = appended.records[0]`,
      `await log.close()`,
      `const again = await openLog(options)`,
      `const record = await again.read(position)`,
      `console.log(record.source.toString('utf8', record.start, record.end))`,
      `await again.close()`,
    ]
    expect(runProgram('log.mjs', lines)).toBe('hello')
  })

  test('the command is there, and tells what is no log', () => {
    const npx = (...args: string[]): string =>
      run('npx', ['--no-install', 'sagalog', ...args], project)
    expect(npx('--version').trim()).toMatch(/^\d+\.\d+\.\d+$/)
    expect(() => npx('log', 'verify', './nowhere')).toThrow(/there is no log in \.\/nowhere/)
  })

  test('sagalog opens, sends, delivers and closes, from CommonJS', () => {
    const lines = [
      `const { Sagalog, topic } = require('sagalog')`,
      `const t = require('io-ts')`,
      `const Greetings = topic('greetings', t.string)`,
      `async function main() {`,
      `  const app = await Sagalog.open({ dir: './data' })`,
      `  await app.ensureTopic(Greetings)`,
      `  const consumer = app.consumer({ group: 'readers', instance: 'one' })`,
      `  const heard = new Promise((resolve) => {`,
      `    consumer.listen(Greetings, async ({ body }) => resolve(body))`,
      `  })`,
      `  await consumer.start()`,
      `  await app.producer({ group: 'writers' }).send(Greetings, 'hello')`,
      `  console.log(await heard)`,
      `  await app.close()`,
      `}`,
      `main()`,
    ]
    expect(runProgram('sagalog.cjs', lines)).toBe('hello')
  })
})
