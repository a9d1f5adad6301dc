/** The demo's program: arguments in, a verdict out. Exit code 0 passed, 1 failed, 2 misused. */
import { isSagalogError } from '@sagalog/kernel'
import { runDemo, type DemoResult } from './demo-node.js'
import { errorText } from './error-text.js'
import { type Options, readArguments } from './options.js'
import { verdictText } from './verdict-text.js'

const PASSED = 0
const FAILED = 1
const MISUSED = 2

function print(
  { verdict, figures, title, directory, reportPath, kills, seed }: DemoResult,
  options: Options,
): void {
  if (options.json) {
    const json = { ...verdict, figures, title, directory, report: reportPath, kills, seed }
    process.stdout.write(`${JSON.stringify(json)}\n`)
    return
  }
  const isColoured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  const text = verdictText({ verdict, figures, title, directory, reportPath, isColoured })
  process.stdout.write(`${text}\n`)
}

async function main(args: readonly string[]): Promise<number> {
  const asked = readArguments(args)
  if (asked.kind === 'help') {
    process.stdout.write(asked.text)
    return PASSED
  }
  const { options } = asked
  const say = (line: string): void => void (options.json || process.stderr.write(`  ${line}\n`))
  const result = await runDemo(options, say)
  print(result, options)
  return result.verdict.passed ? PASSED : FAILED
}

/** What goes wrong before anything was written is the person's to put right. */
function exitCodeOf(thrown: unknown): number {
  return isSagalogError(thrown) && thrown.state === 'unchanged' ? MISUSED : FAILED
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (thrown: unknown) => {
    process.stderr.write(`demo: ${errorText(thrown)}\n`)
    process.exitCode = exitCodeOf(thrown)
  },
)
