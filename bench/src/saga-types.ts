/** How long the compiler takes for a definition of sixty steps, above one of a single step. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Case } from './measurement.js'

const bench = dirname(dirname(fileURLToPath(import.meta.url)))
const tsc = join(bench, '..', 'node_modules', 'typescript', 'bin', 'tsc')
/** Below the packages that it imports. */
const folder = join(bench, 'node_modules', '.cache', 'saga-types')

const head = `import { saga } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
const ok = { out: t.number, undo: () => TE.right(undefined) }
export const definition = saga('long', 1, t.type({ cents: t.number }))
`
/** Each step reads the one before it. */
const stepsOf = (count: number): string =>
  Array.from({ length: count }, (_, n) => {
    const reads = n === 0 ? '0' : `c.s${n - 1}`
    return `  .step('s${n}', { ...ok, run: (c) => TE.right(${reads} + c.input.cents) })\n`
  }).join('')

function compileMs(steps: number): number {
  const name = `steps-${steps}`
  writeFileSync(join(folder, `${name}.ts`), `${head}${stepsOf(steps)}  .end()\n`)
  const config = {
    extends: join(bench, '..', 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, composite: false, incremental: false, declaration: false },
    files: [`${name}.ts`],
  }
  Object.assign(config.compilerOptions, { declarationMap: false })
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(config))
  const startMs = performance.now()
  execFileSync(process.execPath, [tsc, '-p', join(folder, `${name}.json`)])
  return performance.now() - startMs
}

export const typesCase: Case = {
  label: 'the types of a definition of 60 steps',
  aims: [{ kind: 'aim', figure: 'typesMs', unit: 'ms above one step', most: 1_000 }],
  async run() {
    mkdirSync(folder, { recursive: true })
    try {
      const oneMs = compileMs(1)
      const allMs = compileMs(60)
      const figures = { typesMs: Math.max(0, allMs - oneMs), withImportsMs: allMs }
      const name = { peer: 'sagalog', body: 0, concurrency: 1, durability: 'memory' as const }
      return [
        {
          ...name,
          operations: 1,
          elapsedMs: allMs,
          latenciesMs: [allMs],
          earlyReplies: 0,
          figures,
        },
      ]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
