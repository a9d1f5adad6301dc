/**
 * Plants each bug of test/planted/bugs in a copy of the tree and demands that its checker catches
 * it, and that the same seed passes without it. Arguments are a package that has planted bugs of
 * its own (`log-core`), or names of bugs, or both; none means all.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = dirname(dirname(fileURLToPath(import.meta.url)))
const args = process.argv.slice(2)
const ofPackage = `test/planted-${args[0]}.test.ts`
const isPackage = args.length > 0 && existsSync(join(top, ofPackage))
const names = isPackage ? args.slice(1) : args
/** Names alone are bugs of the broker; without any, every file of planted bugs is meant. */
const ofBroker = names.length > 0 ? 'test/planted-broker.test.ts' : 'test/planted'
const vitest = join(top, 'node_modules', 'vitest', 'vitest.mjs')
const files = isPackage ? ofPackage : ofBroker
const { status } = spawnSync(process.execPath, [vitest, 'run', files], {
  cwd: top,
  stdio: 'inherit',
  env: { ...process.env, SAGALOG_FULL: '1', SAGALOG_PLANTED: names.join(',') },
})
process.exitCode = status ?? 1
