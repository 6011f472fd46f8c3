// Programs under test, as processes of their own: ended with their test, and read line by line.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The folder of all these tests. */
export const INTEROP = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** How long anything that must come may take. */
export const PATIENCE_MS = 30_000;

/** Starts `tollkeeper` for a test; answers what `find` finds in one of its lines. All of them go to `said`. */
export async function start(t, args, env, find, said = []) {
  const program = process.env.TOLLKEEPER_BIN;
  if (!program) throw new Error('TOLLKEEPER_BIN must name the program under test');
  // Nothing of the environment but what every program needs, so that no setting of the machine changes a test.
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(program, args, { env: { PATH, HOME, TMPDIR, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'exit');
  t.after(async () => {
    process.off('exit', kill);
    kill();
    await ended;
  });

  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`tollkeeper ${args.join(' ')}: ${why}\n${said.join('\n')}`));
    const deadline = setTimeout(() => fail('it did not say in time that it is ready'), PATIENCE_MS);
    child.once('error', fail);
    child.once('close', (code) => fail(`it ended with ${code}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const found = find(line);
        if (!found) return;
        clearTimeout(deadline);
        resolve(found);
      });
    }
  });
}
