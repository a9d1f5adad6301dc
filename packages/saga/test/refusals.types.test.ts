/**
 * What the compiler says about a saga that cannot be right: each case is compiled, and the message
 * has the words that lead to the mistake. A long definition is measured in the compiler's own unit.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const folder = fileURLToPath(new URL('../node_modules/.cache/refusals/', import.meta.url))
const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))

const head = `import { irreversible, remote, remoteForward, saga, sagaAsync } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
const ok = { out: t.string, run: () => TE.right('x'), undo: () => TE.right(undefined) }
const start = () => saga('s', 1, t.type({ cents: t.number }))
void [E, irreversible, remote, remoteForward, sagaAsync]
`

interface Case {
  readonly what: string
  readonly code: string
  readonly says: RegExp
}

const cases: readonly Case[] = [
  {
    what: 'a step before the pivot without undo',
    code: `start().step('a', { out: t.string, run: () => TE.right('x') })`,
    says: /Property 'undo' is missing/,
  },
  {
    what: 'an undo that can be refused',
    code: `start().step('a', { ...ok, undo: () => TE.left('no') })`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a step after the pivot that can be refused',
    code: `start().pivot('p', ok).then('a', { out: t.string, run: () => TE.left('no') })`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a step with an undo after the pivot',
    code: `start().pivot('p', ok).step('a', ok)`,
    says: /Property 'step' does not exist on type 'SagaTail<.*>'/,
  },
  {
    what: 'a step with an undo side by side after the pivot',
    code: `start().pivot('p', ok).all((step) => ({ a: step({ ...ok, undo: () => TE.left('no') }), b: step({ out: t.string, run: () => TE.left('no') }) }))`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a conditional step after the pivot that can be refused',
    code: `start().pivot('p', ok).when('a', () => true, { out: t.string, run: () => TE.left('no') })`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a loop after the pivot that can be refused',
    code: `start().pivot('p', ok).forEach('a', () => [1], { out: t.string, run: () => TE.left('no') })`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a signal after the pivot that can refuse',
    code: `start().pivot('p', ok).signal('a', { codec: t.string, accept: () => E.left('no') })`,
    says: /'string' is not assignable to type 'never'/,
  },
  {
    what: 'a child after the pivot that can be compensated',
    code: `start().pivot('p', ok).child('a', saga('c', 1, t.number).step('x', ok).end(), () => 1)`,
    says: /'"back"' is not assignable to type '"ahead"'/,
  },
  {
    what: 'a child after the pivot that has a pivot',
    code: `start().pivot('p', ok).child('a', saga('c', 1, t.number).pivot('x', ok).end(), () => 1)`,
    says: /not assignable to type '"ahead"'/,
  },
  {
    what: 'a child before the pivot that has a pivot',
    code: `start().child('a', saga('c', 1, t.number).pivot('x', ok).end(), () => 1)`,
    says: /not assignable to type '"back"'/,
  },
  {
    what: 'a lock after the pivot',
    code: `start().pivot('p', ok).lock('a', () => 'k')`,
    says: /Property 'lock' does not exist on type 'SagaTail<.*>'/,
  },
  {
    what: 'an async step with an undo after the pivot',
    code: `sagaAsync('s', 1, t.number).pivot('p', { run: async () => 1 }).step('a', { run: async () => 1, undo: async () => {} })`,
    says: /Property 'step' does not exist on type 'AsyncTail<.*>'/,
  },
  {
    what: 'async steps side by side without undo',
    code: `sagaAsync('s', 1, t.number).all((step) => ({ a: step({ run: async () => 1 }) }))`,
    says: /Property 'undo' is missing/,
  },
  {
    what: 'a second pivot',
    code: `start().pivot('p', ok).pivot('q', ok)`,
    says: /Property 'pivot' does not exist on type 'SagaTail<.*>'/,
  },
  {
    what: 'a name that is used twice',
    code: `start().step('a', ok).step('a', ok)`,
    says: /the name 'a' is taken: each step has a name of its own/,
  },
  {
    what: 'a name that is used twice, side by side',
    code: `start().step('a', ok).all((step) => ({ a: step(ok), b: step(ok) }))`,
    says: /the name 'a' is taken: each step has a name of its own/,
  },
  {
    what: 'a step that reads a later result',
    code: `start().step('a', { ...ok, run: (c) => TE.right(c.later) }).step('later', ok)`,
    says: /Property 'later' does not exist on type/,
  },
  {
    what: 'steps side by side that read each other',
    code: `start().all((step) => ({ a: step(ok), b: step({ ...ok, run: (c) => TE.right(c.a) }) }))`,
    says: /Property 'a' does not exist on type/,
  },
  {
    what: 'a result that does not fit its codec',
    code: `start().step('a', { ...ok, run: () => TE.right(1) })`,
    says: /'number' is not assignable to type 'string'/,
  },
  {
    what: 'a condition that may have skipped the step',
    code: `start().when('a', () => true, ok).step('b', { ...ok, run: (c) => TE.right(c.a.length) })`,
    says: /'c.a' is possibly 'undefined'/,
  },
  {
    what: 'an item of a loop that is read wrongly',
    code: `start().forEach('a', () => [1], { ...ok, run: (c) => TE.right(c.item.name) })`,
    says: /Property 'name' does not exist on type 'number'/,
  },
  {
    what: 'a reason of irreversible that is missing',
    code: `start().step('a', { ...ok, undo: irreversible() })`,
    says: /Expected 1 arguments/,
  },
  {
    what: 'an async step before the pivot without undo',
    code: `sagaAsync('s', 1, t.number).step('a', { run: async () => 1 })`,
    says: /Property 'undo' is missing/,
  },
]

/** Sixty steps, each reading the one before it. */
const long = Array.from({ length: 60 }, (_, n) => {
  const reads = n === 0 ? `''` : `c.s${n - 1}`
  return `  .step('s${n}', { ...ok, run: (c) => TE.right(${reads} + c.input.cents) })`
}).join('\n')

function compile(name: string, text: string, flags: readonly string[]): string {
  writeFileSync(join(folder, `${name}.ts`), text)
  const config = {
    extends: '../../../../../tsconfig.base.json',
    compilerOptions: {
      noEmit: true,
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
    },
    files: [`${name}.ts`],
  }
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(config))
  try {
    const args = [tsc, '-p', join(folder, `${name}.json`), '--pretty', 'false', ...flags]
    return execFileSync(process.execPath, args, { encoding: 'utf8' })
  } catch (error) {
    return String((error as { readonly stdout?: unknown }).stdout)
  }
}

let output = ''
const caseLine = (index: number): number => head.split('\n').length + index

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  output = compile('cases', head + cases.map(({ code }) => code).join('\n'), [])
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The diagnostic of a line, with the lines that explain it. */
function messageAt(line: number): string {
  const all = output.split(/\n(?=\S)/)
  return all.filter((text) => text.includes(`cases.ts(${line},`)).join('\n')
}

describe('the compiler refuses', () => {
  it.each(cases.map((one, index) => ({ ...one, index })))('$what', ({ says, index }) => {
    expect(messageAt(caseLine(index))).toMatch(says)
  })
})

describe('the compiler', () => {
  it('takes sixty steps, at a cost that is known', () => {
    const built = compile('long', `${head}export const long = start()\n${long}\n  .end()\n`, [
      '--extendedDiagnostics',
    ])
    expect(built).not.toContain('error TS')
    const count = (text: string): number => Number(/^Instantiations:\s+(\d+)/m.exec(text)?.[1])
    const base = count(compile('base', head, ['--extendedDiagnostics']))
    const steps = count(built) - base
    console.log(`60 steps: ${steps} instantiations above ${base}`)
    expect(steps).toBeGreaterThan(60)
    // About twice of today: more is a change of the types that somebody must want.
    expect(steps).toBeLessThan(50_000)
  }, 60_000)
})
