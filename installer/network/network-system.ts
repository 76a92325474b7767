/** How long things take; all injectable, so that tests need not wait as people do. */
export interface NetworkTimes {
  /** Between two looks at the links when the kernel reports nothing. */
  readonly pollMs: number;
  /** Between a probe that failed and the next by the same link. */
  readonly probeRetryMs: number;
  /** The longest that one probe may take. */
  readonly probeTimeoutMs: number;
  /** The lead that the link has from which the machine was booted. */
  readonly bootLinkLeadMs: number;
  /** The lead that all links have on the USB network of a management controller. */
  readonly usbGadgetDelayMs: number;
  /** How long after switching a link on its missing carrier says nothing. */
  readonly carrierPatienceMs: number;
  /** A carrier that is back within this time was not lost. */
  readonly carrierGraceMs: number;
  /** Before a DHCP client that ended is started again. */
  readonly clientRestartMs: number;
  /** Before setting up a link is tried again. */
  readonly setUpRetryMs: number;
  /** An address that another machine has is tried again after this time. */
  readonly conflictRetryMs: number;
  /** How long after the network was asked it is asked again by a link whose addresses lead nowhere. */
  readonly askAgainMs: number;
  /** How long nothing is said about an answer that is missing. */
  readonly firstComplaintMs: number;
}

/** Where things lie in the system, injectable for tests. */
export interface NetworkSystem {
  readonly sysFolder: string;
  readonly procFolder: string;
  /** For the DHCP clients' scripts and configuration. */
  readonly runtimeFolder: string;
  readonly resolvConf: string;
  readonly times: NetworkTimes;
}

export const defaultNetworkSystem: NetworkSystem = {
  sysFolder: '/sys',
  procFolder: '/proc',
  runtimeFolder: '/run/durantic/network',
  resolvConf: '/etc/resolv.conf',
  times: {
    pollMs: 1000,
    probeRetryMs: 3000,
    probeTimeoutMs: 30_000,
    bootLinkLeadMs: 3000,
    usbGadgetDelayMs: 20_000,
    carrierPatienceMs: 5000,
    carrierGraceMs: 5000,
    clientRestartMs: 2000,
    setUpRetryMs: 5000,
    conflictRetryMs: 10_000,
    askAgainMs: 30_000,
    firstComplaintMs: 10_000,
  },
};
