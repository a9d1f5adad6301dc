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
const environment = (seed: number | undefined): Record<string, string> => ({
  SAGALOG_SHRINK: '0',
  ...(seed === undefined ? {} : { SEED: String(seed) }),
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
    test.for(chosen)('$name is caught', (bug, { expect: own }) =>
      inLane(async () => {
        const { isCaught, line, output } = await plant(bug)
        if (!isCaught) console.log(output.slice(-4_000))
        own(isCaught, `${bug.name} survived "${bug.promise}"`).toBe(true)
        console.log(line)
      }),
    )

    // The same test with the same seed, once for all the bugs that it caught.
    test.for([...bySeed(chosen)])('%s passes without them', ([, group], { expect: own }) =>
      inLane(async () => {
        const [{ test: file, seed }] = group
        const names = [...new Set(group.map(({ promise }) => promise))]
        const run = await runNamed(top, { test: file, names, env: environment(seed) })
        if (run.failed.length > 0) console.log(run.output.slice(-4_000))
        own(run.failed).toEqual([])
        own(names.filter((one) => !run.passed.some((full) => full.endsWith(one)))).toEqual([])
      }),
    )
  })
}

/** Runs the checker in a tree with the bug; `line` says what caught it. */
async function plant(bug: NamedBug) {
  const startedMs = performance.now()
  const tree = treeWithTests(bug)
  const options = { test: bug.test, names: [bug.promise], env: environment(bug.seed) }
  const run = await runNamed(tree, options)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const isCaught = run.failed.some((fullName) => isChecker(fullName, bug))
  // The tree of one that survived stays, to be looked at.
  if (isCaught) rmSync(tree, { recursive: true, force: true })
  const seed = bug.seed === undefined ? 'fixed in the test' : bug.seed
  const line =
    `${bug.name}: caught by "${bug.promise}" of ${bug.test}, ` +
    `seed ${seed}, ${seconds} s\n  ${run.reason}`
  return { isCaught, line, output: run.output }
}

function bySeed(bugs: readonly NamedBug[]): ReadonlyMap<string, [NamedBug, ...NamedBug[]]> {
  const groups = new Map<string, [NamedBug, ...NamedBug[]]>()
  for (const bug of bugs) {
    const key = bug.seed === undefined ? bug.test : `${bug.test} with SEED=${bug.seed}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [bug])
    else group.push(bug)
  }
  return groups
}
