/**
 * The tests of the log are strong enough: each planted bug makes the test of the promise that it
 * breaks fail, and the same test with the same seed passes without it. The cheap part, that every
 * patch still fits its source, runs always; the rest with SAGALOG_FULL=1.
 */
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { plantedBugs } from './planted/bugs/all.js'
import { type LogBug, logBugs } from './planted/bugs/log-core.js'
import { runNamed, treeWithTests } from './planted/named-test.js'
import { occurrences, top } from './planted/patched-tree.js'

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
const isFull = process.env['SAGALOG_FULL'] === '1'
const chosen = logBugs.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const isChecker = (fullName: string, { promise }: LogBug): boolean => fullName.endsWith(promise)

describe('planted bugs of the log', () => {
  test.each(logBugs)('$name fits its source in one place', (bug) => {
    expect(occurrences(bug)).toBe(1)
  })

  test('names are unique, and those that were asked for exist', () => {
    const names = [...plantedBugs, ...logBugs].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(wanted.filter((name) => !logBugs.some((bug) => bug.name === name))).toEqual([])
    expect(logBugs.length).toBeGreaterThanOrEqual(15)
  })
})

describe.runIf(isFull).concurrent('each planted bug of the log', { timeout: 600_000 }, () => {
  for (const bug of chosen) {
    test(`${bug.name} is caught`, ({ expect: own }) =>
      inLane(async () => {
        const startedMs = performance.now()
        const tree = treeWithTests(bug)
        const options = { test: bug.test, names: [bug.promise], env: environment(bug.seed) }
        const run = await runNamed(tree, options)
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
        const isCaught = run.failed.some((fullName) => isChecker(fullName, bug))
        if (!isCaught) console.log(run.output.slice(-4_000))
        own(isCaught, `${bug.name} survived "${bug.promise}"`).toBe(true)
        const seed = bug.seed === undefined ? 'fixed in the test' : bug.seed
        console.log(
          `${bug.name}: caught by "${bug.promise}" of ${bug.test}, ` +
            `seed ${seed}, ${seconds} s\n  ${run.reason}`,
        )
        rmSync(tree, { recursive: true, force: true })
      }))
  }

  // The same test with the same seed, once for all the bugs that it caught.
  for (const [key, bugs] of bySeed(chosen)) {
    test(`${key} passes without them`, ({ expect: own }) =>
      inLane(async () => {
        const [{ test: file, seed }] = bugs
        const names = [...new Set(bugs.map(({ promise }) => promise))]
        const run = await runNamed(top, { test: file, names, env: environment(seed) })
        if (run.failed.length > 0) console.log(run.output.slice(-4_000))
        own(run.failed).toEqual([])
        own(names.filter((name) => !run.passed.some((full) => full.endsWith(name)))).toEqual([])
      }))
  }
})

function bySeed(bugs: readonly LogBug[]): ReadonlyMap<string, [LogBug, ...LogBug[]]> {
  const groups = new Map<string, [LogBug, ...LogBug[]]>()
  for (const bug of bugs) {
    const key = bug.seed === undefined ? bug.test : `${bug.test} with SEED=${bug.seed}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [bug])
    else group.push(bug)
  }
  return groups
}
