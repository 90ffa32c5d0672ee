package org.penumbra.experiments.run;

/** Where the value of a setting came from. */
public enum Origin {
    DEFAULT("default"),
    EXPERIMENT("experiment"),
    /** The name of the design carries it. */
    DESIGN("design"),
    COMMAND_LINE("command line");

    private final String label;

    Origin(String label) {
        this.label = label;
    }

    /** As it is written into {@code run.json}. */
    public String label() {
        return label;
    }
}
