/**
 * The suite of one package's planted bugs: each makes the test of the promise that it breaks fail,
 * and the same test with the same seed passes without it. The cheap part, that every patch still
 * fits its source, runs always; the rest with SAGALOG_FULL=1, or for the bugs that SAGALOG_PLANTED
 * names.
 */
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runNamed, treeWithTests } from './named-test.js'
import { occurrences, top } from './patched-tree.js'
import type { NamedBug } from './planted-bug.js'

export interface NamedBugs {
  /** The package, as `npm run planted -- NAME` has it. */
  readonly package: string
  readonly bugs: readonly NamedBug[]
  /** So many are demanded, so that none goes away unnoticed. */
  readonly bugsMin: number
}

/** Two processes at a time; the rest wait for their turn. */
const PROCESSES_MAX = 2
const lanes = Array.from({ length: PROCESSES_MAX }, () => Promise.resolve())
let turn = 0

function inLane<T>(run: () => Promise<T>): Promise<T> {
  const lane = turn % PROCESSES_MAX
  turn += 1
  const running = (lanes[lane] ?? Promise.resolve()).then(run)
  lanes[lane] = running.then(
    () => undefined,
    () => undefined,
  )
  return running
}

/** A failure is enough here: it is not made smaller. */
const environment = (seeds: string): Record<string, string> => ({
  SAGALOG_SHRINK: '0',
  ...(seeds === '' ? {} : { SEED: seeds }),
})
const wanted = (process.env['SAGALOG_PLANTED'] ?? '').split(',').filter((name) => name !== '')
const isAsked = process.env['SAGALOG_FULL'] === '1' || wanted.length > 0
const isChecker = (fullName: string, { promise }: NamedBug): boolean => fullName.endsWith(promise)

/** Declares the suite; a file of planted bugs is one call of it. */
export function describeNamedBugs({ package: name, bugs, bugsMin }: NamedBugs): void {
  const chosen = bugs.filter((bug) => wanted.length === 0 || wanted.includes(bug.name))

  describe(`planted bugs of ${name}`, () => {
    test.each(bugs)('$name fits its source in one place', (bug) => {
      expect(occurrences(bug)).toBe(1)
    })

    test('names are unique, and those that were asked for exist', () => {
      const names = bugs.map((bug) => bug.name)
      expect(new Set(names).size).toBe(names.length)
      expect(wanted.filter((one) => !names.includes(one))).toEqual([])
      expect(bugs.length).toBeGreaterThanOrEqual(bugsMin)
    })
  })

  describe.runIf(isAsked).concurrent(`each planted bug of ${name}`, { timeout: 600_000 }, () => {
    const planted = new Map<NamedBug, Promise<Planted>>()
    const plantOnce = (bug: NamedBug): Promise<Planted> => {
      const running = planted.get(bug) ?? inLane(() => plant(bug))
      planted.set(bug, running)
      return running
    }

    test.for(chosen)('$name is caught', async (bug, { expect: own }) => {
      const { isCaught, line, output } = await plantOnce(bug)
      if (!isCaught) console.log(output.slice(-4_000))
      own(isCaught, `${bug.name} survived "${bug.promise}"`).toBe(true)
      console.log(line)
    })

    const files = [...new Set(chosen.map((bug) => bug.test))]
    test.for(files)('%s passes without them, with the same seeds', async (file, context) => {
      const { expect: own } = context
      const ofFile = chosen.filter((bug) => bug.test === file)
      const caught = await Promise.all(ofFile.map(plantOnce))
      for (const [seeds, promises] of bySeeds(ofFile, caught)) {
        const options = { test: file, names: promises, env: environment(seeds) }
        const run = await inLane(() => runNamed(top, options))
        if (run.failed.length > 0) console.log(run.output.slice(-4_000))
        own(run.failed).toEqual([])
        own(promises.filter((one) => !run.passed.some((full) => full.endsWith(one)))).toEqual([])
      }
    })
  })
}

interface Planted {
  readonly isCaught: boolean
  /** Of a property that said which seed broke it. */
  readonly seed: number | undefined
  /** What caught it. */
  readonly line: string
  readonly output: string
}

/** Runs the checker in a tree with the bug. */
async function plant(bug: NamedBug): Promise<Planted> {
  const startedMs = performance.now()
  const tree = treeWithTests(bug)
  const env = environment(bug.seed === undefined ? '' : String(bug.seed))
  const run = await runNamed(tree, { test: bug.test, names: [bug.promise], env })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const isCaught = run.failed.some((fullName) => isChecker(fullName, bug))
  // The tree of one that survived stays, to be looked at.
  if (isCaught) rmSync(tree, { recursive: true, force: true })
  const seed = run.seed ?? bug.seed ?? 'fixed in the test'
  const line =
    `${bug.name}: caught by "${bug.promise}" of ${bug.test}, ` +
    `seed ${seed}, ${seconds} s\n  ${run.reason}`
  return { isCaught, seed: run.seed, line, output: run.output }
}

/** The promises to be kept under each set of seeds, all of one file. */
function bySeeds(
  bugs: readonly NamedBug[],
  caught: readonly Planted[],
): ReadonlyMap<string, readonly string[]> {
  const named = [...new Set(caught.flatMap(({ seed }) => seed ?? []))].sort((a, b) => a - b)
  const groups = new Map<string, Set<string>>()
  for (const [index, bug] of bugs.entries()) {
    const own = bug.seed === undefined ? '' : String(bug.seed)
    const key = caught[index]?.seed === undefined ? own : named.join()
    groups.set(key, (groups.get(key) ?? new Set()).add(bug.promise))
  }
  return new Map([...groups].map(([seeds, promises]) => [seeds, [...promises]]))
}
