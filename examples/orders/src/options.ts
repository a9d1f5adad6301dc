/**
 * The command line: names, bounds and help. It decides what was asked for and touches nothing; a
 * wrong argument is a DemoError BAD_ARGUMENT whose text says what is wrong.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { DemoError } from './errors.js'

export const DURABILITIES = ['sync', 'os', 'memory'] as const
export type Durability = (typeof DURABILITIES)[number]

/** What the person gave; a plain start gives nothing. */
export interface Options {
  readonly orders?: number
  readonly file?: string
  readonly dir?: string
  readonly durability?: Durability
  readonly json: boolean
  readonly kills?: number
  readonly seed?: number
}

export type Asked =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'help'; readonly text: string }

const KILLS_MAX = 1_000
export const SEED_DEFAULT = 1

function wholeNumber(from: number, to: number) {
  return (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= from && value <= to) return value
    throw new InvalidArgumentError(`A whole number from ${from} to ${to} is needed.`)
  }
}

const EXAMPLES = `
Examples:
  npm run demo                                the whole file, synced before each acknowledgement
  npm run demo -- --orders 500                the first 500 orders
  npm run demo -- --kills 20 --seed 7         the work in a process that is killed 20 times
  npm run demo -- --durability os             acknowledge from the page cache
  npm run demo -- --dir DIR                   resume (or audit again) the run in DIR

Exit code: 0 the audit passed, 1 it failed, 2 bad arguments, file or directory.`

function commandLine(write: (text: string) => void): Command {
  return new Command('demo')
    .description('Replays real purchases as sagas over a durable log, then audits the result.')
    .addOption(
      new Option('--orders <N>', 'only the first N orders').argParser(wholeNumber(1, 10_000_000)),
    )
    .option('--file <PATH>', 'an order file with the same five columns (default: the CDNOW sample)')
    .option('--dir <PATH>', 'where the run lives (default: .sagalog-demo)')
    .addOption(
      new Option('--durability <LEVEL>', 'acknowledge when synced, written or only sequenced')
        .choices(DURABILITIES)
        .default(undefined, 'sync'),
    )
    .option('--json', 'print verdict and figures as JSON', false)
    .addOption(
      new Option('--kills <N>', 'kill the working process N times with SIGKILL')
        .argParser(wholeNumber(0, KILLS_MAX))
        .default(undefined, '0'),
    )
    .addOption(
      new Option('--seed <N>', 'fixes when the kills come')
        .argParser(wholeNumber(0, 0xffff_ffff))
        .default(undefined, `${SEED_DEFAULT}`),
    )
    .addHelpText('after', EXAMPLES)
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr() {}, outputError() {} })
}

/** Reads the arguments. Throws BAD_ARGUMENT. */
export function readArguments(args: readonly string[]): Asked {
  let help = ''
  const command = commandLine((text) => {
    help += text
  })
  try {
    command.parse([...args], { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode === 0) return { kind: 'help', text: help }
    const what = cause.message.replace(/^error: /, '')
    throw new DemoError('BAD_ARGUMENT', { what }, { cause })
  }
  const options = command.opts<Options>()
  if (options.durability === 'memory' && (options.kills ?? 0) > 0) {
    const what = '--durability memory loses acknowledged work in a kill, so it excludes --kills'
    throw new DemoError('BAD_ARGUMENT', { what })
  }
  return { kind: 'run', options }
}
