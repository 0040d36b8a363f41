// aws-local-stepfunctions in process: `node node_peer.js FOLDER`, the one with its packages.
// See benchmarks/peers/interpreters.py for what it reads and writes.
'use strict';

const path = require('path');

const packages = path.join(process.argv[2], 'node_modules');
const { StateMachine } = require(path.join(packages, 'aws-local-stepfunctions'));

// The package asks for Node.js 22; this is all that 20 lacks of it.
Promise.withResolvers ??= function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

function prepared(workload) {
  const handlers = {};
  for (const name of ['Work', ...Object.keys(workload.definition.States)]) {
    handlers[name] = async () => ({ done: true });
  }
  const options = { overrides: { taskResourceLocalHandlers: handlers } };
  const machine = new StateMachine(workload.definition);
  return () => machine.run(workload.input, options).result;
}

async function once(start, together) {
  const began = performance.now();
  const [output] = await Promise.all(Array.from({ length: together }, start));
  return { took: (performance.now() - began) / 1000, output };
}

async function measured(workload, seconds) {
  const start = prepared(workload);
  await once(start, workload.together);
  const { output } = await once(start, workload.together);
  const times = [];
  let spent = 0;
  const before = process.cpuUsage();
  while (spent < seconds) {
    const { took } = await once(start, workload.together);
    times.push(took);
    spent += took;
  }
  const cpu = process.cpuUsage(before);
  return { name: workload.name, output, times, cpu: (cpu.user + cpu.system) / 1e6 };
}

async function main() {
  let text = '';
  for await (const part of process.stdin) {
    text += part;
  }
  const asked = JSON.parse(text);
  for (const workload of asked.workloads) {
    let found;
    try {
      found = await measured(workload, asked.seconds);
    } catch (error) {
      found = { name: workload.name, error: `${error}`.slice(0, 200) };
    }
    process.stdout.write(`${JSON.stringify(found)}\n`);
  }
}

main();
