/**
 * The properties of broker and client are strong enough: each planted bug makes the checker of the
 * promise that it breaks fail, and the same seed passes without it. The cheap part, that every
 * patch still fits its source, runs always; the rest with SAGALOG_FULL=1, or for the bugs that
 * SAGALOG_PLANTED names.
 */
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { plantedBugs } from './planted/bugs/all.js'
import { occurrences, plantedTree, runProperty, top } from './planted/patched-tree.js'

const SEEDS = '200'
/** So many are demanded, so that none goes away unnoticed. */
const BUGS_MIN = 46
const wanted = (process.env['SAGALOG_PLANTED'] ?? '').split(',').filter((name) => name !== '')
const isAsked = process.env['SAGALOG_FULL'] === '1' || wanted.length > 0
const chosen = plantedBugs.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
/** By property: the seeds that caught a bug, to be run on the tree as it is. */
const caught = new Map<string, Set<number>>()

describe('planted bugs of broker', () => {
  test.each(plantedBugs)('$name fits its source in one place', (bug) => {
    expect(occurrences(bug)).toBe(1)
  })

  test('names are unique, and those that were asked for exist', () => {
    const names = plantedBugs.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(wanted.filter((name) => !names.includes(name))).toEqual([])
    expect(names.length).toBeGreaterThanOrEqual(BUGS_MIN)
  })

  for (const bug of isAsked ? chosen : []) {
    test(`${bug.name} is caught`, { timeout: 300_000 }, async () => {
      const tree = plantedTree(bug)
      const run = await runProperty(tree, {
        test: bug.test,
        env: { SAGALOG_SEEDS: SEEDS, SAGALOG_WANTED: bug.promise },
      })
      if (run.broken === undefined) console.log(run.output.slice(-4_000))
      expect(run.broken, `${bug.name} survived ${SEEDS} seeds`).toBeDefined()
      const { promises = [], seed = 0 } = run.broken ?? {}
      console.log(`${bug.name}: seed ${seed} broke ${promises.join(', ')}`)
      expect(promises).toContain(bug.promise)
      caught.set(bug.test, (caught.get(bug.test) ?? new Set()).add(seed))
      rmSync(tree, { recursive: true, force: true })
    })
  }

  test('the seeds that caught them pass without them', { timeout: 300_000 }, async () => {
    for (const [file, seeds] of caught) {
      const SEED = [...seeds].join(',')
      const run = await runProperty(top, { test: file, env: { SEED } })
      if (!run.isGreen) console.log(run.output.slice(-4_000))
      expect(run.isGreen, `${file} with SEED=${SEED}`).toBe(true)
    }
  })
})
