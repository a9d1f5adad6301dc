/**
 * Counts the results that the checks of one `.ci/run` left in a directory and prints the last line.
 * A command that failed without a failed check to show for it counts as one failure, and a report
 * that is not there is never taken for success.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [directory = '', hasFailed = '1'] = process.argv.slice(2)
let passed = 0
let failed = 0
for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  passed += report.numPassedTests
  failed += report.numFailedTests
  // A file that breaks before its first test has no failed test of its own.
  for (const suite of report.testResults)
    if (
      suite.status === 'failed' &&
      suite.assertionResults.every((test) => test.status !== 'failed')
    )
      failed += 1
}
const checks = join(directory, 'checks.jsonl')
const lines = existsSync(checks) ? readFileSync(checks, 'utf8').split('\n').slice(0, -1) : []
for (const line of lines) {
  const { name, ok } = JSON.parse(line)
  if (ok) passed += 1
  else {
    failed += 1
    console.log(`failed: ${name}`)
  }
}
if (failed === 0 && (hasFailed !== '0' || passed === 0)) failed = 1
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
