import { runCommand } from '../../core/base/run-command.ts';

const timeoutMs = 5000;

/**
 * Makes a serial line that the kernel does not print on ready for text: 8 data bits, no parity, no modem that is waited
 * for. Such a line stands at 9600 baud (uart_register_driver() of Linux), whatever the firmware had set. What is set stays
 * when the line is closed.
 * @param speedBaud Bits per second.
 * @throws ProvisionError `tool_failed`, `tool_missing`.
 */
export async function setUpLine(path: string, speedBaud: number): Promise<void> {
  await runCommand('stty', ['-F', path, String(speedBaud), 'cs8', '-parenb', 'clocal'], { timeoutMs });
}
