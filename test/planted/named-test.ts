/**
 * Runs single tests of a package, by name, in a patched copy of the tree or in the tree as it is,
 * each time in a process of its own.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { plantedTree, top } from './patched-tree.js'
import type { PlantedBug } from './planted-bug.js'

/** A patched copy of the tree that has the tests beside the bug's test too; gives its folder. */
export function treeWithTests(bug: PlantedBug): string {
  const tree = plantedTree(bug)
  const tests = dirname(bug.test)
  if (tests === 'test') cpSync(join(top, bug.test), join(tree, bug.test))
  else cpSync(join(top, tests), join(tree, tests), { recursive: true })
  return tree
}

export interface TestRun {
  /** Full names of the tests that ran: those that passed and those that failed. */
  readonly passed: readonly string[]
  readonly failed: readonly string[]
  /** Why the first one failed, in one line; of a property also the path that its draws took. */
  readonly reason: string
  /** The seed that a property named when it failed. */
  readonly seed: number | undefined
  readonly output: string
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[] | null
    }[]
  }[]
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Runs the tests of one file whose full names end as one of `names` does. */
export async function runNamed(
  tree: string,
  options: {
    readonly test: string
    readonly names: readonly string[]
    readonly env: Readonly<Record<string, string>>
  },
): Promise<TestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'sagalog-planted-'))
  const file = join(folder, 'report.json')
  try {
    const output = await vitest(tree, options, file)
    return { ...readReport(file, output), output }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Without a report, because nothing could be run, no test passed and none failed. */
function readReport(file: string, output: string): Omit<TestRun, 'output'> {
  let report: Report
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return { passed: [], failed: [], reason: '', seed: undefined }
  }
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const named = (status: string): string[] =>
    results.filter((result) => result.status === status).map(({ fullName }) => fullName)
  const [message = ''] = results.flatMap(({ failureMessages }) => failureMessages ?? [])
  const cause = /^Caused by: (.*)$/m.exec(output)?.[1] ?? message.split('\n')[0] ?? ''
  const path = /path: "([^"]*)"/.exec(message)?.[1]
  const reason = path === undefined ? cause : `path ${path}: ${cause}`
  const seed = /broken at SEED=(\d+)/.exec(message)?.[1]
  return {
    passed: named('passed'),
    failed: named('failed'),
    reason,
    seed: seed === undefined ? undefined : Number(seed),
  }
}

function vitest(
  tree: string,
  {
    test,
    names,
    env: extra,
  }: {
    readonly test: string
    readonly names: readonly string[]
    readonly env: Readonly<Record<string, string>>
  },
  report: string,
): Promise<string> {
  const program = join(top, 'node_modules', 'vitest', 'vitest.mjs')
  const config = join(top, 'vitest.config.ts')
  const pattern = names.map((name) => `${escaped(name)}$`).join('|')
  const args = ['run', '--root', tree, '--config', config, test, '-t', pattern]
  args.push(
    '--pool=threads',
    '--maxWorkers=1',
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${report}`,
  )
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  // What concerns the run that starts this one is not meant for it.
  for (const name of Object.keys(env)) if (/^(SAGALOG_|SEED$|VITEST)/.test(name)) delete env[name]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: tree,
      env: { ...env, ...extra },
    })
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('exit', () => resolve(output))
  })
}
