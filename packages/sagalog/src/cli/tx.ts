/** `sagalog tx`: half messages that nobody decided, and a person's decision. */
import type { UndecidedHalf } from '@sagalog/client'
import { escaped } from './body-text.js'
import { messageJson, messageText } from './message-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

const COLUMNS: readonly Column[] = [
  { title: 'half', align: 'right' },
  { title: 'state' },
  { title: 'group' },
  { title: 'checks', align: 'right' },
  { title: 'topic' },
  { title: 'stored' },
  { title: 'id' },
]

const stateOf = ({ isParked }: UndecidedHalf): string =>
  isParked ? 'waits for a person' : 'is asked for'

const halfJson = ({ message, ...half }: UndecidedHalf): object => ({
  ...half,
  message: messageJson(message),
})

const rowOf = (half: UndecidedHalf): readonly string[] => [
  String(half.position),
  stateOf(half),
  escaped(half.group),
  String(half.checks),
  escaped(half.message.topic),
  timeText(half.message.storedAtMs),
  escaped(half.transactionId),
]

async function list(
  context: CommandContext,
  flags: Operated & { readonly all?: true },
): Promise<ExitCode> {
  const { terminal } = context
  const all = flags.all === true
  const halves = await withAdmin(context, flags, (admin) => admin.halves.list({ all }))
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(halves.map(halfJson), undefined, 2)}\n`)
    return EXIT.fine
  }
  await terminal.print(tableText(COLUMNS, halves.map(rowOf)))
  const what = all ? 'half message' : 'half message that waits for a person'
  await terminal.print(`${halves.length === 1 ? `1 ${what}` : `${halves.length} half messages`}\n`)
  return EXIT.fine
}

function unknown({ terminal }: CommandContext, at: number): ExitCode {
  terminal.tell(`sagalog: no half message at ${at} waits for a decision`)
  terminal.tell('It was decided, or never was: see sagalog tx ls --all.')
  return EXIT.failed
}

async function show(
  context: CommandContext,
  at: number,
  flags: Operated & { readonly bytes: number },
): Promise<ExitCode> {
  const { terminal } = context
  const halves = await withAdmin(context, flags, (admin) => admin.halves.list({ all: true }))
  const half = halves.find(({ position }) => position === at)
  if (half === undefined) return unknown(context, at)
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(halfJson(half), undefined, 2)}\n`)
    return EXIT.fine
  }
  const asked = `checked ${plural(half.checks, 'time')}, ${stateOf(half)}`
  await terminal.print(`of the group ${escaped(half.group)}, ${asked}\n\n`)
  await terminal.print(messageText(half.message, flags.bytes))
  return EXIT.fine
}

async function resolve(
  context: CommandContext,
  [at, decision]: readonly [number, 'commit' | 'rollback'],
  flags: Operated,
): Promise<ExitCode> {
  const { terminal } = context
  const outcome = await withAdmin(context, flags, async ({ halves }) => {
    const half = (await halves.list({ all: true })).find(({ position }) => position === at)
    return half === undefined ? undefined : await halves.resolve(half, decision)
  })
  if (outcome === undefined) return unknown(context, at)
  const done = { half: at, outcome }
  const text = outcome === 'commit' ? `committed ${at}` : `rolled ${at} back`
  await terminal.print(flags.json === true ? `${JSON.stringify(done)}\n` : `${text}\n`)
  if (outcome === decision) return EXIT.fine
  terminal.tell(`sagalog: its producer was faster, and decided otherwise: ${outcome}`)
  return EXIT.failed
}

export const txCommands: CommandGroup = (program, context) => {
  const tx = program.command('tx').description('look at half messages, decide those that wait')
  const HALF = ['<half>', 'its position, as tx ls prints it', wholeNumber(0)] as const

  operated(withJson(tx.command('ls'), 'print an array of half messages as JSON'))
    .description('list the half messages that wait for a person, the oldest first')
    .option('--all', 'also those whose producers are still asked')
    .action(context.act((flags) => list(context, flags)))

  operated(withJson(tx.command('show')))
    .description('show a half message as it will be seen when it is committed')
    .argument(...HALF)
    .option('--bytes <n>', 'show so many bytes of the body', wholeNumber(0), 4_096)
    .action(context.act((half, flags) => show(context, half, flags)))

  for (const decision of ['commit', 'rollback'] as const)
    operated(withJson(tx.command(decision)))
      .description(
        decision === 'commit' ? 'let its message be seen' : 'let its message never be seen',
      )
      .argument(...HALF)
      .action(context.act((half, flags) => resolve(context, [half, decision], flags)))
}
