export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  __InternalSupabase: {
    /** The last release that the types of supabase-js know. pgduet speaks PostgREST 16. */
    PostgrestVersion: "14"
  }
  api: {
    Tables: {
      /** People who wrote the books */
      authors: {
        Row: {
          /** The author's number */
          id: number
          /** The name as printed on the cover */
          name: string
          /** The year of birth */
          born: number | null
          /** The year of death; null for the living */
          died: number | null
        }
        ComputedFields: never
        Insert: {
          id?: number
          name: string
          born?: number | null
          died?: number | null
        }
        Update: {
          id?: number
          name?: string
          born?: number | null
          died?: number | null
        }
        Relationships: []
      }
      /** The books of the library, one row per copy */
      books: {
        Row: {
          /** The book's number */
          id: number
          /** The title in English */
          title: string
          /** Who wrote it */
          author_id: number
          /** Where it stands */
          genre: Database["api"]["Enums"]["genre"]
          /** The year of the first edition */
          published: number
          /** How many pages this edition has */
          pages: number | null
          /** What it is about */
          tags: string[]
          /** When the library got it */
          added_at: string
        }
        ComputedFields: never
        Insert: {
          id?: number
          title: string
          author_id: number
          genre: Database["api"]["Enums"]["genre"]
          published: number
          pages?: number | null
          tags?: string[]
          added_at?: string
        }
        Update: {
          id?: number
          title?: string
          author_id?: number
          genre?: Database["api"]["Enums"]["genre"]
          published?: number
          pages?: number | null
          tags?: string[]
          added_at?: string
        }
        Relationships: [
          {
          foreignKeyName: "books_author_id_fkey"
          columns: ["author_id"]
          isOneToOne: false
          referencedRelation: "authors"
          referencedColumns: ["id"]
        },
        ]
      }
      /** Who has borrowed which book; members see and change only their own loans */
      loans: {
        Row: {
          /** The loan's number */
          id: number
          /** The borrowed book */
          book_id: number
          /** The borrower: the `sub` claim of their token */
          member: string
          /** The first day */
          borrowed_on: string
          /** The last day */
          due_on: string
          /** The day it came back; null while it is out */
          returned_on: string | null
        }
        ComputedFields: never
        Insert: {
          id?: number
          book_id: number
          member?: string
          borrowed_on?: string
          due_on?: string
          returned_on?: string | null
        }
        Update: {
          id?: number
          book_id?: number
          member?: string
          borrowed_on?: string
          due_on?: string
          returned_on?: string | null
        }
        Relationships: [
          {
          foreignKeyName: "loans_book_id_fkey"
          columns: ["book_id"]
          isOneToOne: false
          referencedRelation: "available_books"
          referencedColumns: ["id"]
        },
          {
          foreignKeyName: "loans_book_id_fkey"
          columns: ["book_id"]
          isOneToOne: false
          referencedRelation: "books"
          referencedColumns: ["id"]
        },
        ]
      }
    }
    Views: {
      /** The books that can be borrowed now */
      available_books: {
        Row: {
          /** The book's number */
          id: number | null
          /** The title in English */
          title: string | null
          /** The name of its author */
          author: string | null
          /** Where it stands */
          genre: Database["api"]["Enums"]["genre"] | null
        }
        ComputedFields: never
        Relationships: []
      }
    }
    Functions: {
      /** Finds books by a part of the title, the author's name, the genre or a tag, upper or lower case */
      search_books: { Args: { query: string }; Returns: ({ id: number; title: string; author_id: number; genre: Database["api"]["Enums"]["genre"]; published: number; pages: number | null; tags: string[]; added_at: string })[]; SetofOptions: { from: "*"; to: "books"; isOneToOne: false; isSetofReturn: true } }
    }
    Enums: {
      genre: "novel" | "mystery" | "science_fiction" | "poetry" | "essay"
    }
    CompositeTypes: {
      [_ in never]: never
    }
  }
}

type Schemas = Omit<Database, "__InternalSupabase">
type Default = Schemas["api"]
type In = { schema: keyof Schemas }
type Rows<S extends keyof Schemas> = Schemas[S]["Tables"] & Schemas[S]["Views"]
type Part<All, Name, Key extends string> = Name extends keyof All
  ? All[Name] extends { [_ in Key]: infer Found }
    ? Found
    : never
  : never

/** A row as it is read: `Tables<"name">`, or `Tables<{ schema: "schema" }, "name">`. */
export type Tables<
  Where extends keyof Rows<keyof Schemas & "api"> | In,
  Name extends Where extends In ? keyof Rows<Where["schema"]> : never = never,
> = Where extends In ? Part<Rows<Where["schema"]>, Name, "Row"> : Part<Rows<"api">, Where, "Row">

/** A row to insert. */
export type TablesInsert<
  Where extends keyof Default["Tables"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Tables"] : never = never,
> = Where extends In
  ? Part<Schemas[Where["schema"]]["Tables"], Name, "Insert">
  : Part<Default["Tables"], Where, "Insert">

/** Columns to update. */
export type TablesUpdate<
  Where extends keyof Default["Tables"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Tables"] : never = never,
> = Where extends In
  ? Part<Schemas[Where["schema"]]["Tables"], Name, "Update">
  : Part<Default["Tables"], Where, "Update">

/** The labels of an enum. */
export type Enums<
  Where extends keyof Default["Enums"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["Enums"] : never = never,
> = Where extends In
  ? Schemas[Where["schema"]]["Enums"][Name & keyof Schemas[Where["schema"]]["Enums"]]
  : Default["Enums"][Where & keyof Default["Enums"]]

/** The attributes of a composite type. */
export type CompositeTypes<
  Where extends keyof Default["CompositeTypes"] | In,
  Name extends Where extends In ? keyof Schemas[Where["schema"]]["CompositeTypes"] : never = never,
> = Where extends In
  ? Schemas[Where["schema"]]["CompositeTypes"][Name & keyof Schemas[Where["schema"]]["CompositeTypes"]]
  : Default["CompositeTypes"][Where & keyof Default["CompositeTypes"]]

export const Constants = {
  api: {
    Enums: {
      genre: ["novel", "mystery", "science_fiction", "poetry", "essay"],
    },
  },
} as const
