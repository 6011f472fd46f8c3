// Values against the types that a client publishes, by the compiler for which those are written.

import ts from 'typescript';

import { INTEROP } from './program.js';

// A provider leaves out what it has nothing to say about, and adds the name of each object. Beyond that a value has the
// members of its type, and no other words than those of its type.
const PRELUDE = `
type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };
type Shape<T> = T extends (infer One)[]
  ? Shape<One>[]
  : T extends object ? { [K in keyof Known<T>]?: Shape<T[K]> } & { object?: string } : T;
`;

const OPTIONS = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  lib: ['lib.es2022.d.ts'],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
};

/**
 * What the compiler says against values, each `{type, value}`: a list of sentences for each of them.
 *
 * `head` imports what their types name.
 */
export function strangers(head, values) {
  const lines = values.map(({ type, value }, index) => `const v${index}: Shape<${type}> = ${JSON.stringify(value)};`);
  const name = `${INTEROP}/values.ts`;
  const source = ts.createSourceFile(name, `${head}${PRELUDE}${lines.join('\n')}\n`, OPTIONS.target);
  // The file is nowhere but here; it stands where its imports are found.
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (path, ...rest) => (path === name ? source : getSourceFile.call(host, path, ...rest));
  host.fileExists = (path) => path === name || fileExists.call(host, path);
  const program = ts.createProgram([name], OPTIONS, host);
  const found = values.map(() => []);
  for (const { messageText, start, length } of [
    ...program.getGlobalDiagnostics(),
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ]) {
    const text = ts.flattenDiagnosticMessageText(messageText, ' ').slice(0, 300);
    const line = source.text.slice(source.text.lastIndexOf('\n', start) + 1, start);
    const index = line.match(/^const v(\d+): /)?.[1];
    if (!index) throw new Error(`the types cannot be read: ${text}`);
    found[index].push(`${values[index].type} at ${source.text.substr(start, Math.min(length, 80))}: ${text}`);
  }
  return found;
}
