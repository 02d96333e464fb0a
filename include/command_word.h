/* What a command is made of: shared by study_command.c (parses) and command.c (renders) only. */
#ifndef COMMAND_WORD_H
#define COMMAND_WORD_H

#include <stdint.h>

enum piece_kind {
	PIECE_TEXT,
	PIECE_PARAM, /* refs */
	PIECE_STUDY,
	PIECE_PHASE,
	PIECE_TRIAL,
	PIECE_UNIT,
	PIECE_ATTEMPT,
	PIECE_SEED,
	PIECE_FOLD,
	PIECE_FOLDS,
	PIECE_OUTER_FOLD,
	PIECE_OUTER_FOLDS,
	PIECE_DIR,
	PIECE_PARAMS,
	PIECE_BUDGET,
	PIECE_PARENT_DIR, /* phase */
	PIECE_PARENT_VALUE,
	PIECE_PARENT_STEP,
	PIECE_PARENT_TRIAL
};

struct command_ref {
	uint32_t phase, index;
};

struct command_piece {
	enum piece_kind kind;
	uint32_t phase; /* PARENT */
	const struct command_ref
	    *refs; /* PARAM: the first that has a value; one where the phase is not scheduled */
	uint32_t nrefs;
	const char *text; /* TEXT: itself; else the fallback, NULL: none */
	const char *name; /* the placeholder as written, for messages */
};

enum word_kind { WORD_PIECES, WORD_ARGS, WORD_DIRS };

struct command_word {
	enum word_kind kind;
	uint32_t phase; /* DIRS */
	const struct command_piece *pieces;
	uint32_t npieces;
};

#endif
