package org.penumbra.vmx;

/** What an MMU did against its contract. The rules are the laws between the parts of the machine, as the architecture page numbers them. */
enum Misconduct {
    THREW("law 1: an MMU holds derived state only, so it can answer always; it throws nothing but what its contract names"),
    NONSENSE("law 1: what an MMU answers is derived from the machine's state, so there is an answer to every question"),
    STUCK("law 1: derived state can be given up at any operation boundary, so no call into an MMU blocks"),
    OUTSIDE_LEASE("law 4: an MMU reaches physical memory only through its lease"),
    BAD_STRUCTURES("law 2: paging structures are real entries, in the manuals' formats, in frames of the MMU's lease");

    private final String law;

    Misconduct(String law) {
        this.law = law;
    }

    String law() {
        return law;
    }
}
