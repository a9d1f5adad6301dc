/**
 * The command line from its arguments to its exit code. Each group of commands registers itself; a
 * command is given its arguments and says how it went. What it throws ends here: one sentence and
 * what to do, never a stack for a failure that was foreseen.
 */
import type { Clock, Disk } from '@sagalog/kernel'
import { Command, CommanderError } from 'commander'
import { errorText } from './error-text.js'
import type { Terminal } from './terminal.js'

/** How a command ended, for scripts: fine; damage or a failure; arguments that make no sense. */
export const EXIT = { fine: 0, failed: 1, misused: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What a command reaches the world by. */
export interface CommandPorts {
  readonly terminal: Terminal
  readonly disk: Disk
  readonly clock: Clock
}

export interface CommandContext extends CommandPorts {
  /** Makes an action for commander; its result is the exit code of the program. */
  act<Args extends readonly unknown[]>(
    action: (...args: Args) => Promise<ExitCode>,
  ): (...args: Args) => Promise<void>
}

/** Adds the commands of one subject, all below one word. */
export type CommandGroup = (program: Command, context: CommandContext) => void

const AFTER_HELP = `
Exit code: 0 fine, 1 damage was found or the command failed, 2 wrong arguments.`

/** Results as JSON for programs; every command that prints a result has it. */
export function withJson(command: Command, what = 'print the result as JSON'): Command {
  return command.option('--json', what)
}

/** Runs one command; gives the exit code. Rejects never. */
export async function runProgram(
  args: readonly string[],
  groups: readonly CommandGroup[],
  ports: CommandPorts,
  version: string,
): Promise<ExitCode> {
  const { terminal } = ports
  let code: ExitCode = EXIT.fine
  let help = ''
  let failing: Command | undefined
  const program = new Command('sagalog')
    .description('Durable messaging, event sourcing and sagas on one append log.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('afterAll', AFTER_HELP)
    .configureOutput({
      writeOut: (text) => (help += text),
      writeErr: (text) => (help += text),
      outputError() {},
    })
  const context: CommandContext = {
    ...ports,
    act:
      (action) =>
      async (...given) => {
        code = await action(...given)
      },
  }
  for (const group of groups) group(program, context)
  for (const command of tree(program)) {
    command.helpCommand(false).exitOverride((error) => {
      failing = command
      throw error
    })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) {
      terminal.tell(`sagalog: ${errorText(thrown)}`)
      return EXIT.failed
    }
    if (thrown.exitCode === 0) {
      await terminal.print(help)
      return EXIT.fine
    }
    // Help is what commander gives when a command is missing.
    if (help === '') tellMisuse(terminal, thrown, failing ?? program)
    else terminal.tell(help.trimEnd())
    return EXIT.misused
  }
}

function tree(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(tree)]
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

function tellMisuse(terminal: Terminal, error: CommanderError, command: Command): void {
  const what = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  const name = nameOf(command)
  terminal.tell(`sagalog: ${what}`)
  terminal.tell(`usage: ${name} ${command.usage()} (${name} --help says more)`)
}
