/** `sagalog dlq`: the dead letters of a group: looked at, sent again, discarded. */
import type { DeadLetter, DeadLetters, RedriveTo } from '@sagalog/client'
import { InvalidArgumentError, Option } from 'commander'
import { escaped } from './body-text.js'
import { messageJson, messageText } from './message-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

interface ListFlags extends Operated {
  readonly limit: number
}

interface RedriveFlags extends Operated {
  readonly to: RedriveTo
  readonly all?: true
  readonly topic?: string
}

interface LetterName {
  readonly queueId: number
  readonly offset: number
}

const COLUMNS: readonly Column[] = [
  { title: 'letter' },
  { title: 'topic' },
  { title: 'id' },
  { title: 'attempts', align: 'right' },
  { title: 'died' },
  { title: 'reason' },
]
const REASON_CHARS = 80

const nameOf = ({ offset, queueId }: LetterName): string => `${queueId}@${offset}`

/** `0@17`: the queue and the offset of a letter. */
function readLetter(text: string): LetterName {
  const [, queueId, offset] = /^(\d{1,4})@(\d{1,15})$/.exec(text) ?? []
  if (queueId !== undefined && offset !== undefined)
    return { queueId: Number(queueId), offset: Number(offset) }
  throw new InvalidArgumentError('It is QUEUE@OFFSET, as sagalog dlq ls prints it.')
}

function letterJson({ message, ...letter }: DeadLetter): object {
  return { ...letter, message: messageJson(message) }
}

function rowOf(letter: DeadLetter): readonly string[] {
  const reason = escaped(letter.reason)
  return [
    nameOf(letter),
    escaped(letter.topic),
    escaped(letter.id),
    String(letter.attempts),
    timeText(letter.diedAtMs),
    reason.length > REASON_CHARS ? `${reason.slice(0, REASON_CHARS)}…` : reason,
  ]
}

async function list(context: CommandContext, group: string, flags: ListFlags): Promise<ExitCode> {
  const { terminal } = context
  const letters = await withAdmin(context, flags, (admin) =>
    admin.deadLetters(group).list({ max: flags.limit }),
  )
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(letters.map(letterJson), undefined, 2)}\n`)
    return EXIT.fine
  }
  await terminal.print(tableText(COLUMNS, letters.map(rowOf)))
  await terminal.print(`${plural(letters.length, 'dead letter')}\n`)
  return EXIT.fine
}

/** Does something with one letter; says so when it is not there, or not any more. */
async function withLetter(
  context: CommandContext,
  [group, name]: readonly [string, LetterName],
  {
    flags,
    work,
  }: { flags: Operated; work: (desk: DeadLetters, letter: DeadLetter) => Promise<string> },
): Promise<ExitCode> {
  const { terminal } = context
  const text = await withAdmin(context, flags, async (admin) => {
    const desk = admin.deadLetters(group)
    const letters = await desk.list({ max: Number.MAX_SAFE_INTEGER })
    const letter = letters.find((one) => nameOf(one) === nameOf(name))
    return letter === undefined ? '' : await work(desk, letter)
  })
  if (text !== '') {
    await terminal.print(text)
    return EXIT.fine
  }
  terminal.tell(`sagalog: ${group} has no dead letter ${nameOf(name)} that waits`)
  terminal.tell('It was sent again or discarded, or never was: see sagalog dlq ls.')
  return EXIT.failed
}

const resultText = (json: true | undefined, result: object, text: string): string =>
  json === true ? `${JSON.stringify(result)}\n` : `${text}\n`

async function show(
  context: CommandContext,
  [group, name]: readonly [string, LetterName],
  flags: Operated & { readonly bytes: number },
): Promise<ExitCode> {
  const work = async (_desk: DeadLetters, letter: DeadLetter): Promise<string> => {
    if (flags.json === true) return `${JSON.stringify(letterJson(letter), undefined, 2)}\n`
    const { attempts, id, reason, topic } = letter
    const first = `died after ${plural(attempts, 'attempt')} of ${topic} ${id}`
    return `${escaped(first)}\n${escaped(reason)}\n\n${messageText(letter.message, flags.bytes)}`
  }
  return await withLetter(context, [group, name], { flags, work })
}

async function discard(
  context: CommandContext,
  [group, name]: readonly [string, LetterName],
  flags: Operated,
): Promise<ExitCode> {
  const work = async (desk: DeadLetters, letter: DeadLetter): Promise<string> =>
    (await desk.discard(letter))
      ? resultText(flags.json, { discarded: nameOf(letter) }, `discarded ${nameOf(letter)}`)
      : ''
  return await withLetter(context, [group, name], { flags, work })
}

async function redrive(
  context: CommandContext,
  [group, name]: readonly [string, LetterName | undefined],
  flags: RedriveFlags,
): Promise<ExitCode> {
  const { all, json, to, topic } = flags
  const { terminal } = context
  if ((name === undefined) !== (all === true) || (name !== undefined && topic !== undefined)) {
    terminal.tell('sagalog: which letters? One of them, or --all, which --topic narrows down')
    terminal.tell('usage: sagalog dlq redrive <group> <letter>, or <group> --all [--topic <topic>]')
    return EXIT.misused
  }
  if (name !== undefined) {
    const work = async (desk: DeadLetters, letter: DeadLetter): Promise<string> =>
      (await desk.redrive(letter, to))
        ? resultText(json, { redriven: 1 }, `sent ${nameOf(letter)} again`)
        : ''
    return await withLetter(context, [group, name], { flags, work })
  }
  const isWanted = (letter: DeadLetter): boolean => topic === undefined || letter.topic === topic
  const redriven = await withAdmin(context, flags, (admin) =>
    admin.deadLetters(group).redriveAll(to, isWanted),
  )
  const text = `sent ${plural(redriven, 'dead letter')} again`
  await terminal.print(resultText(json, { redriven }, text))
  return EXIT.fine
}

export const dlqCommands: CommandGroup = (program, context) => {
  const dlq = program.command('dlq').description('look at dead letters, send them again')
  const LETTER = ['<letter>', 'its queue and offset, as dlq ls prints them: 0@17'] as const

  operated(withJson(dlq.command('ls'), 'print an array of letters as JSON'))
    .description('list the dead letters of a group that wait, the oldest first')
    .argument('<group>', 'the name of the group')
    .option('--limit <n>', 'at most so many', wholeNumber(1), 100)
    .action(context.act((group, flags) => list(context, group, flags)))

  operated(withJson(dlq.command('show')))
    .description('show a dead letter: why it died, and what is in it')
    .argument('<group>', 'the name of the group')
    .argument(...LETTER, readLetter)
    .option('--bytes <n>', 'show so many bytes of the body', wholeNumber(0), 4_096)
    .action(context.act((group, letter, flags) => show(context, [group, letter], flags)))

  operated(withJson(dlq.command('redrive')))
    .description('send dead letters again, each of them once')
    .argument('<group>', 'the name of the group')
    .argument('[letter]', LETTER[1], readLetter)
    .option('--all', 'all that wait')
    .option('--topic <topic>', 'with --all: only what was first sent there')
    .addOption(
      new Option('--to <whom>', 'group: this group only, by its retries; topic: all its groups')
        .choices(['group', 'topic'])
        .default('group'),
    )
    .action(context.act((group, letter, flags) => redrive(context, [group, letter], flags)))

  operated(withJson(dlq.command('discard')))
    .description('settle a dead letter without sending it again')
    .argument('<group>', 'the name of the group')
    .argument(...LETTER, readLetter)
    .action(context.act((group, letter, flags) => discard(context, [group, letter], flags)))
}
