package org.penumbra.shell;

import java.util.List;

/** What an audit of a machine's MMU found: the invariants that do not hold, and what the MMU did against its contract before. */
public record Audit(int machine, String design, List<String> violations, List<String> misconduct) {}
