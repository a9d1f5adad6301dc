/**
 * The documents, held against what they speak of: the code in the README, the hop table, the error
 * tables, the commands, the links.
 */
import { BrokerError } from '@sagalog/broker'
import { ClientError } from '@sagalog/client'
import { EventStoreError } from '@sagalog/event-store'
import { DiskError, type ErrorRow, HOPS } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import { ProtocolError } from '@sagalog/protocol'
import { SagaError } from '@sagalog/saga'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesBelow, packages, readJson, top } from './source-tree.js'

const read = (path: string): string => readFileSync(join(top, path), 'utf8')
const documents = [
  ...filesBelow('.', /^[^/]+\.md$/),
  ...['docs', 'examples', 'bench'].flatMap((folder) => filesBelow(folder, /\.md$/)),
]

/** The rows of the first table below a header row that begins with `first`. */
function tableRows(text: string, first: string): readonly (readonly string[])[] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`))
  const rows: string[][] = []
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

describe('README.md', () => {
  const readme = read('README.md')

  test('opens with the two commands', () => {
    const [block = ''] = /```sh\n[\s\S]*?```/.exec(readme) ?? []
    expect(block).toContain('npm run demo')
    expect(block).toContain('npm test')
  })

  test('shows the first steps as they run', () => {
    const [, block = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
    // The file opens with the comment that every module has; the reader has this page instead.
    const program = read('examples/first-steps/src/main.ts').replace(/^\/\*\*[\s\S]*?\*\/\n/, '')
    expect(block).toBe(program)
    expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(36)
  })

  test('shows options that the demo has', () => {
    const options = read('examples/orders/src/options.ts')
    const commands = [...readme.matchAll(/npm run (?:-s )?demo -- (.*)/g)].map(
      ([, line = '']) => line,
    )
    const named = commands.flatMap((line) => line.match(/--[a-z]+/g) ?? [])
    expect(named.length).toBeGreaterThan(5)
    // Help is there without being declared.
    const declared = (name: string): boolean => name === '--help' || options.includes(`'${name}`)
    expect(named.filter((name) => !declared(name))).toEqual([])
  })

  test('maps every package', () => {
    const named = tableRows(readme, 'package').map(([name = '']) => name.replaceAll('`', ''))
    expect(named.toSorted()).toEqual(packages.map(({ manifest }) => manifest.name).toSorted())
  })
})

describe('the hop table', () => {
  const rows = tableRows(read('ARCHITECTURE.md'), 'hop')

  test('has the hops in their order, each with its file', () => {
    const written = rows.map(([name, file]) => ({ name, file }))
    expect(written).toEqual(HOPS.map(({ name, file }) => ({ name, file })))
  })

  test('leads through at most ten files from the send to its acknowledgement', () => {
    const names = HOPS.map(({ name }) => name)
    const there = HOPS.slice(names.indexOf('client.send'), names.indexOf('client.ack') + 1)
    expect(new Set(there.map(({ file }) => file)).size).toBeLessThanOrEqual(10)
  })

  test.each(HOPS)('$name is reached in $file', ({ name, file }) => {
    expect(read(file)).toContain(`reach('${name}')`)
  })

  test('no source reaches a hop from another file', () => {
    const wrong: string[] = []
    for (const path of filesBelow('packages', /\/src\/.*\.ts$/))
      for (const [, name] of read(path).matchAll(/\breach\('([a-z.]+)'\)/g))
        if (!HOPS.some((hop) => hop.name === name && hop.file === path))
          wrong.push(`${path} reaches ${name}`)
    expect(wrong).toEqual([])
  })
})

const tables: readonly (readonly [string, Readonly<Record<string, ErrorRow>>])[] = [
  ['DiskError', DiskError.table],
  ['LogError', LogError.table],
  ['ProtocolError', ProtocolError.table],
  ['BrokerError', BrokerError.table],
  ['ClientError', ClientError.table],
  ['EventStoreError', EventStoreError.table],
  ['SagaError', SagaError.table],
]

function errorsPage(): string {
  const lines = [
    '# Errors',
    '',
    'Each package has one error class, made from a table. An error has a `code`, an `advice`, whether to',
    '`retry`, and the `state` of the write: `unchanged` (it did not happen), `unknown` (it may have),',
    '`applied` (it did). `SomeError.is(value)` tells an error of a table, also from another copy of the package.',
    'This page is written from the tables, and a test compares the two.',
  ]
  for (const [name, table] of tables) {
    lines.push('', `## ${name}`, '', '| code | message | what to do | retry | state |')
    lines.push('| --- | --- | --- | --- | --- |')
    for (const [code, row] of Object.entries(table)) {
      const cells = [code, row.text, row.advice, row.retry, row.state]
      lines.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

test('docs/errors.md has every code of every table', async () => {
  await expect(errorsPage()).toMatchFileSnapshot('../docs/errors.md')
})

test('every package with an error table is on that page', () => {
  const defined = filesBelow('packages', /\/src\/.*\.ts$/).flatMap((path) =>
    [...read(path).matchAll(/= defineErrors\('(\w+)'/g)].map(([, name = '']) => name),
  )
  expect(defined.toSorted()).toEqual(tables.map(([name]) => name).toSorted())
})

describe.each(documents)('%s', (path) => {
  const text = read(path)

  test('names commands that exist', () => {
    const { scripts } = readJson<{ readonly scripts: Readonly<Record<string, string>> }>(
      'package.json',
    )
    const named = [...text.matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name = '']) => name)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  test('names files that are there', () => {
    const pattern = /`((?:packages|test|examples|docs|bench|scripts)\/[a-z0-9./-]+)`/g
    const named = [...text.matchAll(pattern)].map(([, file = '']) => file)
    expect(named.filter((file) => !existsSync(join(top, file)))).toEqual([])
  })

  test('links to files that are there', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link)
    expect(links.filter((link) => !existsSync(join(top, dirname(path), link)))).toEqual([])
  })
})
