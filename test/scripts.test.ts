/**
 * The scripts that judge: what `.ci/run` counts must never call a failure, a crash or an empty run
 * a success. The command line says what it does not know.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readJson, top } from './source-tree.js'

function run(script: string, args: readonly string[]) {
  const options = { cwd: top, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(top, 'scripts', script), ...args],
    options,
  )
  return { status, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) }
}

describe('count-results', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sagalog-results-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
  const suite = (status: string, tests: readonly string[]) => ({
    status,
    assertionResults: tests.map((one) => ({ status: one })),
  })
  const report = (passed: number, failed: number, suites: readonly unknown[]): string =>
    JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults: suites })

  test('adds up tests and checks', () => {
    write('tests.json', report(2, 0, [suite('passed', ['passed', 'passed'])]))
    write('checks.jsonl', '{"name":"lint","ok":true}\n')
    expect(run('count-results.mjs', [directory, '0'])).toMatchObject({
      status: 0,
      lastLine: '3 passed, 0 failed',
    })
  })

  test('counts a failed test once and a file that broke before its tests once', () => {
    const suites = [suite('failed', ['passed', 'failed']), suite('failed', [])]
    write('tests.json', report(1, 1, suites))
    expect(run('count-results.mjs', [directory, '1'])).toMatchObject({
      status: 1,
      lastLine: '1 passed, 2 failed',
    })
  })

  test('a failed check fails', () => {
    write('checks.jsonl', '{"name":"lint","ok":true}\n{"name":"format","ok":false}\n')
    expect(run('count-results.mjs', [directory, '1'])).toMatchObject({
      status: 1,
      lastLine: '1 passed, 1 failed',
    })
  })

  test('a command that failed without a word, and a run of nothing, are failures', () => {
    expect(run('count-results.mjs', [directory, '0']).lastLine).toBe('0 passed, 1 failed')
    write('checks.jsonl', '{"name":"lint","ok":true}\n')
    expect(run('count-results.mjs', [directory, '1'])).toMatchObject({
      status: 1,
      lastLine: '1 passed, 1 failed',
    })
  })
})

test('an unknown command is refused with the list of those there are', () => {
  const { status, stderr } = run('run.mjs', ['nonsense'])
  expect(status).toBe(2)
  const { scripts } = readJson<{ readonly scripts: Readonly<Record<string, string>> }>(
    'package.json',
  )
  const commands = Object.keys(scripts).filter((name) => scripts[name]?.includes('run.mjs'))
  for (const name of commands) expect(stderr).toContain(name)
})
